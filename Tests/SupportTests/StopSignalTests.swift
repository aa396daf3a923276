import Support
import Testing

struct StopSignalTests {
    @Test func wakesEveryWaiter() async {
        let stop = StopSignal()
        let waiters = (0..<5).map { _ in Task { await stop.untilRequested() } }
        await Task.yield()
        #expect(!stop.isRequested)
        stop.request()
        for waiter in waiters { await waiter.value }
        await stop.untilRequested()
        #expect(stop.isRequested)
    }

    @Test func anActionTakenBackIsNotCalled() {
        let stop = StopSignal()
        let calls = Mutex<[String]>([])
        let forgotten = stop.whenRequested { calls.withLock { $0.append("forgotten") } }
        _ = stop.whenRequested { calls.withLock { $0.append("kept") } }
        stop.forget(forgotten)
        stop.request()
        stop.request()
        #expect(calls.withLock { $0 } == ["kept"])
        _ = stop.whenRequested { calls.withLock { $0.append("late") } }
        #expect(calls.withLock { $0 } == ["kept", "late"])
    }
}
