-- What the activity lists and the profile rely on.
SELECT;
