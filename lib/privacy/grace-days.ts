/** From the request of a deletion to the erasure. */
export const graceDays = 14;
