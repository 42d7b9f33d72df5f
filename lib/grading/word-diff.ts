/** One word, or words that stand for each other, as the learner and the key write them. */
export interface WordDifference {
  op: "same" | "missing" | "extra" | "changed";
  expected?: string;
  given?: string;
}
