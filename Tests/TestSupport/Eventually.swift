/// What a test waited for in vain.
public struct DeadlinePassed: Error, CustomStringConvertible {
    public let description: String
}

/// Waits until a condition holds, asking again and again; throws ``DeadlinePassed`` after `limit`.
///
/// The limit is for a broken program, not for a busy machine. The one place where tests poll. `what` says in the error
/// what was waited for.
public func eventually(
    within limit: Duration = .seconds(30),
    _ what: String = "the condition",
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else {
            throw DeadlinePassed(description: "\(what) did not hold within \(limit)")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}
