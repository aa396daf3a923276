import ArgumentParser
import CurlHTTP
import Foundation
import Support

/// The calls of a sync by the service's own HTTP client, and nothing but the calls. Started by the measurements.
///
/// It writes `seconds S`.
struct BareCallsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bare-calls", shouldDisplay: false)

    enum Kind: String, ExpressibleByArgument {
        /// POST a page.
        case pages
        /// Log in and fetch what is new.
        case fetches
    }

    @Option var url: String
    @Option var kind: Kind
    @Option var count: Int
    @Option var concurrency: Int
    @Option var bytes = 2000

    func run() async throws {
        let http = HTTPClient(configuration: HTTPClientConfiguration(userAgent: "sync-bench"))
        defer { http.shutdown() }
        let requests = requests
        // The connections are there before the time begins, as those of a worker are.
        try await send(requests, concurrency, by: http)
        let began = ContinuousClock.now
        try await send(requests, count, by: http)
        print("seconds \((ContinuousClock.now - began).inSeconds)")
    }

    private func send(_ requests: [HTTPRequest], _ count: Int, by http: HTTPClient) async throws {
        let begun = Countdown(count)
        let concurrency = concurrency
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask {
                    while begun.takeOne() {
                        for request in requests {
                            let response = try await http.execute(request)
                            guard (200..<300).contains(response.status) else {
                                throw BenchError("the peer answered \(response.status)")
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private var requests: [HTTPRequest] {
        let headers: HTTPHeaders = ["Content-Type": "application/json"]
        switch kind {
        case .pages:
            let content = String(String(repeating: "All work and no play. ", count: bytes / 22 + 1).prefix(bytes))
            let body = """
                {"api_token":"token","database_id":"database","note":{"title":"Title 00000001","content":"\(content)",\
                "created_at":"2026-01-02T03:04:05","labels":["bench"],"images":[]}}
                """
            return [
                HTTPRequest(
                    method: .post,
                    url: url + "/internal/notion/pages",
                    headers: headers,
                    body: Array(body.utf8)
                )
            ]
        case .fetches:
            let login = #"{"username":"5-200-u1","master_token":"token"}"#
            return [
                HTTPRequest(
                    method: .post,
                    url: url + "/internal/keep/auth",
                    headers: headers,
                    body: Array(login.utf8)
                ),
                HTTPRequest(
                    url: url
                        + "/internal/keep/notes?username=5-200-u1&upload_images=true&modified_since=2026-01-02T03:04:05"
                ),
            ]
        }
    }
}

/// A number of things to do, taken one by one by several tasks.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) {
        left = Atomic(count)
    }

    func takeOne() -> Bool {
        left.subtract(1, ordering: .relaxed).oldValue > 0
    }
}
