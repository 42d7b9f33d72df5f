/** As SQL: now, and after the end of the last restore, whose clock may have been ahead. */
export const restoreBegunNow =
  "greatest(now(), restore_begun_at, restore_finished_at + interval '1 millisecond')";
