-- The function does the same as before.
SELECT 1;
