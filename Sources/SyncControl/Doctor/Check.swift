import Postgres
import ServiceHealth

/// One thing that `syncctl doctor` looks at, within a time of its own: no check holds up the others.
struct Check: Sendable {
    /// A word for programs, which stays.
    let name: String
    var limit = Duration.seconds(8)
    let body: @Sendable () async throws -> [CheckLine]

    init(
        _ name: String,
        limit: Duration = .seconds(8),
        _ body: @escaping @Sendable () async throws -> [CheckLine]
    ) {
        self.name = name
        self.limit = limit
        self.body = body
    }

    /// What was found, or why nothing could be.
    func lines() async -> [CheckLine] {
        let body = body
        do {
            return try await within(limit) { try await body() }
        } catch is TimeLimitPassed {
            return [.notChecked(name, "no answer came within \(limit.components.seconds) s")]
        } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
            return [.notChecked(name, "the role of DATABASE_URL may not see it (\(error.message))")]
        } catch let error as PostgresError where error.code == .queryTimedOut || error.sqlState == .queryCanceled {
            return [
                .notChecked(
                    name,
                    "it takes the database longer than \(DoctorCommand.statementLimit.components.seconds) s"
                )
            ]
        } catch {
            return [.notChecked(name, Failure(error).message)]
        }
    }

    /// Makes checks, all at once.
    ///
    /// - Returns: their lines, in the order of the checks.
    static func lines(of checks: [Check]) async -> [CheckLine] {
        await withTaskGroup(of: (Int, [CheckLine]).self) { group in
            for (place, check) in checks.enumerated() {
                group.addTask { (place, await check.lines()) }
            }
            return await group.reduce(into: [Int: [CheckLine]]()) { $0[$1.0] = $1.1 }
        }.sorted { $0.key < $1.key }.flatMap(\.value)
    }
}
