"""What imports hold on a person, as the database finds it."""
