// Tests of real processes.
