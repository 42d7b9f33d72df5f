DROP TABLE words, lessons, courses, course_versions;
