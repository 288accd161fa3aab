"""Evolution of machine-number programs: error and measured time, from empty programs upwards."""
