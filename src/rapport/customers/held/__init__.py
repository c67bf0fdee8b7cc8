"""Tables of rows about one customer each: how what they hold on a person is gathered, erased and moved."""
