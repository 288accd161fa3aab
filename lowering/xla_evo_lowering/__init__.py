"""The compiler plugin: programs to StableHLO, executables, artifacts and timing samples."""
