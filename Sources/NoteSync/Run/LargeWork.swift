internal import Support

/// Does work that takes the longer the more bytes there are: in place if they are few, and on a thread of its own
/// otherwise, as heartbeats and all other jobs share the cooperative pool's few threads.
///
/// - Throws: what `body` throws.
func workThrough<Result: Sendable>(
    bytes: Int,
    _ body: @escaping @Sendable (ThreadCancellation) throws -> Result
) async throws -> Result {
    // A millisecond's work.
    guard bytes > 1 << 16 else { return try body(ThreadCancellation()) }
    return try await onOwnThread(named: "large note", body)
}
