"""Tables, migrations, comparison with the database, partitions and roles."""
