/// Runs `body` to its end even if the calling task is cancelled meanwhile, and gives its result.
///
/// For the few writes that must not stop halfway, such as COMMIT, ROLLBACK or handing back a job.
public func uncancellable<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
    // An unstructured task does not inherit cancellation, and waiting for its value does not end by it either.
    try await Task { try await body() }.value
}
