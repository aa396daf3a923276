import Foundation
import Support
import Testing

@testable import NoteSync

/// Lists so long that looking through them takes seconds: everything else in the process goes on meanwhile.
@Suite(.timeLimit(.minutes(5)))
struct LargeListTests {
    /// In a process of its own, as other tests would hold up the ticks too.
    @Test func `Large lists are looked through beside everything else`() async {
        await #expect(processExitsWith: .success) {
            let lists = ProcessInfo.processInfo.activeProcessorCount + 1
            let files = try (0..<lists).map { _ in try largeList(megabytes: 200 / lists) }
            let longest = try await longestPause {
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for file in files { group.addTask { try await NoteListFile.scan(file, maximumNotes: .max).count } }
                    for try await count in group { #expect(count > 0) }
                }
            }
            #expect(longest < .milliseconds(500), "the longest pause between two ticks was \(longest)")
        }
    }

    @Test func `A scan is given up when its job is cancelled`() async throws {
        let file = try largeList(megabytes: 2)
        let scan = Task { try await NoteListFile.scan(file, maximumNotes: .max) }
        scan.cancel()
        await #expect(throws: CancellationError.self) { try await scan.value }
    }
}

/// How long a task that only ticks had to wait for a thread of the pool while `body` ran.
private func longestPause(_ body: () async throws -> Void) async throws -> Duration {
    let longest = Mutex(Duration.zero)
    let ticker = Task {
        var last = ContinuousClock.now
        while !Task.isCancelled {
            let now = ContinuousClock.now
            longest.withLock { $0 = max($0, now - last) }
            last = now
            // Ends early by cancellation, which the loop sees.
            try? await DeadlineQueue.shared.sleep(for: .milliseconds(1))
        }
    }
    try await body()
    ticker.cancel()
    await ticker.value
    return longest.withLock { $0 }
}

private func largeList(megabytes: Int) throws -> TemporaryFile {
    let file = try TemporaryFile(in: FetchSpace(maximumBytes: .max))
    let handle = FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: false)
    let content = String(repeating: "x", count: 1_000_000)
    try handle.write(contentsOf: Data(#"{"notes":["#.utf8))
    for number in 0..<megabytes {
        let separator = number == 0 ? "" : ","
        try handle.write(contentsOf: Data(#"\#(separator){"id":"n\#(number)","content":"\#(content)"}"#.utf8))
    }
    try handle.write(contentsOf: Data(#"],"count":\#(megabytes)}"#.utf8))
    return file
}
