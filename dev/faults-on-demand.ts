interface Faults<Fault> {
  /** For the next `times` requests (default: all). Null removes the fault. */
  fail(fault: Fault | null): void;
  /** The fault of the request that has just arrived. One that does not apply to it is kept for the next ones. */
  next(applies?: (fault: Fault) => boolean): Fault | null;
}

export function faultsOnDemand<Fault extends { times?: number }>(): Faults<Fault> {
  let fault: Fault | null = null;
  let hits = 0;
  return {
    fail(next) {
      fault = next;
      hits = 0;
    },
    next(applies = () => true) {
      if (!fault || !applies(fault)) return null;
      hits += 1;
      return hits <= (fault.times ?? Number.POSITIVE_INFINITY) ? fault : null;
    },
  };
}
