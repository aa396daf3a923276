import Testing

@testable import NoteSync

/// Whether a batch of a job's records waits for requests that are about to end.
@Suite struct ReturnPatienceTests {
    /// At a peer that takes its time, nearly no batch waits.
    @Test func whereNothingComesBackFewWait() {
        var patience = ReturnPatience()
        var waits = 0
        for _ in 1...2000 where patience.wait(after: .milliseconds(1)) != nil {
            waits += 1
            patience.learned(areBack: false)
        }
        #expect(waits > 8, "it is tried now and then")
        #expect(waits < 16)
    }

    @Test func whereTheyComeBackAllWait() {
        var patience = ReturnPatience()
        for _ in 1...10 {
            if patience.wait(after: .milliseconds(1)) != nil { patience.learned(areBack: false) }
        }
        // Found out within the longest pause.
        let found = (1...600).first { _ in patience.wait(after: .milliseconds(1)) != nil }
        #expect(found != nil)
        patience.learned(areBack: true)
        for _ in 1...10 {
            #expect(patience.wait(after: .milliseconds(1)) != nil)
            patience.learned(areBack: true)
        }
    }

    @Test func nobodyWaitsForLong() {
        var patience = ReturnPatience()
        #expect(patience.wait(after: .seconds(30)) == .milliseconds(1))
        #expect(patience.wait(after: .microseconds(300)) == .microseconds(300))
    }
}
