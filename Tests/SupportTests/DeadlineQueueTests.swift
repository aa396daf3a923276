import Foundation
import JobQueue
import TestSupport
import Testing

@testable import Support

@Suite struct DeadlineQueueTests {
    @Test func `Deadlines come in the order of their times, whatever the order they were set in`() async {
        let queue = DeadlineQueue()
        let order = Mutex<[Int]>([])
        let start = ContinuousClock.now + .milliseconds(20)
        let last = 400
        await withCheckedContinuation { continuation in
            for number in (0...last).shuffled() {
                _ = queue.schedule(at: start + .microseconds(number * 100)) {
                    order.withLock { $0.append(number) }
                    if number == last { continuation.resume() }
                }
            }
        }
        #expect(order.withLock { $0 } == Array(0...last))
        #expect(queue.count == 0)
    }

    @Test func `A wait ends no earlier than its time`() async throws {
        let queue = DeadlineQueue()
        for milliseconds in [0, 1, 3, 20] {
            let end = ContinuousClock.now + .milliseconds(milliseconds)
            try await queue.sleep(until: end)
            #expect(ContinuousClock.now >= end)
        }
    }

    @Test func `An earlier deadline does not wait for a later one`() async throws {
        let queue = DeadlineQueue()
        let late = queue.schedule(after: .seconds(3600)) {}
        try await queue.sleep(for: .milliseconds(5))
        #expect(queue.count == 1)
        queue.cancel(late)
        #expect(queue.count == 0)
    }

    @Test func `A cancelled wait ends at once and throws, also one that is cancelled before it begins`() async {
        let queue = DeadlineQueue()
        let task = Task { try await queue.sleep(for: .seconds(3600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(queue.count == 0)
    }

    @Test func `Any of many deadlines can be taken out, and the others still come in order`() {
        var heap = DeadlineHeap()
        let start = ContinuousClock.now
        let deadlines = (0..<2000).shuffled().map { Deadline(time: start + .seconds($0)) }
        for deadline in deadlines { heap.insert(deadline) }
        for deadline in deadlines[..<1300] { heap.remove(deadline) }
        var times: [ContinuousClock.Instant] = []
        while let first = heap.first {
            times.append(first.time)
            heap.remove(first)
        }
        #expect(times == deadlines[1300...].map(\.time).sorted())
    }

    @Test func `A wake-up that waits no time is not waited for`() async {
        let wakeup = Wakeup()
        for _ in 0..<1000 { #expect(await !wakeup.wait(atMost: .zero)) }
    }

    /// In a process of its own, as others would change what it measures.
    @Test func `Nothing is left of 100,000 cancelled waits`() async {
        await #expect(processExitsWith: .success) {
            let queue = DeadlineQueue.shared
            // The allocator keeps what was in use at once, in a pool for each thread.
            for _ in 0..<100 { try await cancelledWaits(1000) }
            let before = residentMegabytes()
            for _ in 0..<100 { try await cancelledWaits(1000) }
            let wakeup = Wakeup()
            for _ in 0..<100_000 {
                wakeup.signal()
                await wakeup.wait(atMost: .seconds(3600))
            }
            let grown = residentMegabytes() - before
            #expect(queue.count == 0, "\(queue.count) are left")
            // A timer and a task left of each would be 200 MB; the allocator itself keeps some 10.
            #expect(grown < 32, "\(grown) MB")
        }
    }

    @Test func `Nothing in the sources sleeps past a cancellation`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let files = FileManager.default.enumerator(at: root.appending(path: "Sources"), includingPropertiesForKeys: nil)
        for case let file as URL in try #require(files) where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(!text.contains("Task.sleep("), "\(file.lastPathComponent): take DeadlineQueue.shared.sleep")
        }
    }
}

/// So many waits side by side, of an hour each, all cancelled.
private func cancelledWaits(_ count: Int) async throws {
    let tasks = (0..<count).map { _ in Task { try await DeadlineQueue.shared.sleep(for: .seconds(3600)) } }
    try await eventually("all waits") { DeadlineQueue.shared.count >= count }
    for task in tasks { task.cancel() }
    for task in tasks { _ = await task.result }
}

private func residentMegabytes() -> Double {
    let status = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = status.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? .infinity
    return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
}
