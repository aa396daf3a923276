// Tests of the peers' contracts.
