import Testing

/// Tests of real processes against a real PostgreSQL, one after the other: each wants the machine for itself, and some
/// measure time.
@Suite(.serialized) enum IntegrationTests {}
