import Testing

@testable import FlowControl

@Suite struct PermitsTests {
    private let now = ContinuousClock.now
    private let third = Duration.seconds(1) / 3

    @Test func aBurstComesAtOnceAndTheRestAtThePace() {
        // Three at once, three a second: the first of ten is due two spacings ago.
        var permits = Permits(count: 10, startsIn: third * -2, spacing: third, receivedAt: now)
        var dues: [Duration] = []
        while let due = permits.due(cost: 2, now: now + .seconds(dues.count)) {
            dues.append(due - now)
            permits.use(cost: 2, now: due)
        }
        #expect(dues == [.zero, third, third * 3, third * 5, third * 7])
        #expect(permits.left == 0)
    }

    @Test func aLateCallPutsOffThoseAfterIt() throws {
        var permits = Permits(count: 6, startsIn: .zero, spacing: third, receivedAt: now)
        permits.use(cost: 2, now: now + .seconds(5))
        let due = try #require(permits.due(cost: 2, now: now + .seconds(5)))
        #expect(due - now == .seconds(5) + third * 2)
    }

    @Test func permitsThatHaveLainAboutAreNotUsed() {
        let permits = Permits(count: 6, startsIn: .zero, spacing: third, receivedAt: now)
        #expect(permits.due(cost: 2, now: now + .seconds(9)) != nil)
        #expect(permits.due(cost: 2, now: now + .seconds(11)) == nil)
    }

    @Test func withoutAPaceTheyDoUntilTheGatesAreToBeLookedAtAgain() {
        var permits = Permits(unlimitedUntil: now + .seconds(1))
        for _ in 1...100 { permits.use(cost: 2, now: now) }
        #expect(permits.due(cost: 2, now: now) != nil)
        #expect(permits.due(cost: 2, now: now + .seconds(1)) == nil)
    }
}

@Suite struct CallTimesTests {
    @Test func secondsMoreThanUsualAreSlow() {
        var times = CallTimes()
        #expect(times.usual == nil)
        var slow = (1...8).map { _ in times.add(.milliseconds(400)) }
        #expect(!slow.contains(true), "nothing is usual yet")
        slow = [.milliseconds(2300), .milliseconds(2500)].map { times.add($0) }
        #expect(slow == [false, true])
        #expect(times.usual == .milliseconds(400))
        slow = (1...65).map { _ in times.add(.seconds(5)) }
        #expect(slow.last == false, "what is slow for long is usual")
        #expect(times.usual == .seconds(5))
    }

    @Test func theLastSixtyFourCount() {
        var (times, all) = (CallTimes(), [Duration]())
        for _ in 1...1000 {
            let time = Duration.milliseconds(Int.random(in: 1...6000))
            let kept = all.suffix(64).sorted()
            let isLong = kept.count >= 8 && time > kept[kept.count / 2] + .seconds(2)
            #expect(times.add(time) == isLong)
            all.append(time)
            let sorted = all.suffix(64).sorted()
            #expect(times.usual == sorted[sorted.count / 4])
        }
    }
}

@Suite struct CallTrafficTests {
    private let gates = (1...2).map { GateName(.notionWriter, .token, key: "t\($0)") }

    private func call(_ traffic: inout CallTraffic, _ gate: Int, _ seconds: Double, besides others: Int = 0) {
        let began = ContinuousClock.now - .seconds(3600)
        for _ in 0...others { traffic.begin(.notionWriter, now: began) }
        let now = began + .seconds(seconds)
        _ = traffic.add(.seconds(seconds), of: .notionWriter, behind: gates[gate], now: now)
        for _ in 0...others { traffic.end(.notionWriter, now: now) }
    }

    /// As behind a writer that serves one call at a time.
    @Test func whatWaitsForOthersTakesNoLongerByItself() {
        var traffic = CallTraffic()
        call(&traffic, 0, 0.3)
        for _ in 1...50 { call(&traffic, 1, 6, besides: 3) }
        #expect(traffic.callTime(of: .notionWriter, behind: gates[1]) == .seconds(0.3))
        #expect(traffic.callTime(of: .notionWriter, behind: gates[0]) == .seconds(0.3))
    }

    /// A note with many pictures now and then says nothing of the pace; two that are slow close together do.
    @Test(arguments: [([14, 29, 44, 59], []), ([14, 15], [15]), ([14, 17, 40], [17])])
    func oneSlowCallInFifteenIsNoSignOfTooMany(slow: [Int], told: [Int]) {
        var traffic = CallTraffic()
        let signs = (0..<64).filter { number in
            traffic.add(.seconds(slow.contains(number) ? 9 : 0.4), of: .notionWriter, behind: gates[0])
        }
        #expect(signs == told)
    }

    /// One token's calls may be slow by themselves, though another's are quick.
    @Test func whatIsSlowAloneTakesItsTime() {
        var traffic = CallTraffic()
        for _ in 1...50 { call(&traffic, 0, 0.1) }
        for number in 1...20 {
            call(&traffic, 1, number % 10 == 0 ? 0.2 : 3)
        }
        #expect(traffic.callTime(of: .notionWriter, behind: gates[1]) == .seconds(3))
        #expect(traffic.callTime(of: .notionWriter, behind: gates[0]) == .seconds(0.1))
    }
}

@Suite struct GateNameTests {
    @Test func namesSayWhoseCallsPass() {
        #expect(GateName(.notionWriter).rawValue == "notion_writer")
        let token = GateName(.notionWriter, .token, key: "ab12")
        #expect(token.rawValue == "notion_writer/token/ab12")
        #expect(token.peer == .notionWriter && token.scope == .token && token.isWellFormed)
        #expect(GateName(.keepExtractor).scope == .peer)
    }

    @Test(arguments: [
        "", "notion", "notion_writer/", "notion_writer/token", "notion_writer/token/", "notion_writer/peer/a",
        "a/b/c/d",
    ])
    func othersAreNone(_ text: String) {
        #expect(!GateName(rawValue: text).isWellFormed)
    }
}
