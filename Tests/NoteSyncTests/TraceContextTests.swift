import Testing

@testable import NoteSync

@Suite struct TraceContextTests {
    private static let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func goesOnWithTheTraceUnderANewParent() {
        let next = TraceContext(continuing: Self.given).traceparent()
        #expect(next.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-"))
        #expect(next.hasSuffix("-01"))
        #expect(next != Self.given)
        #expect(next.count == 55)
    }

    @Test(
        arguments: [
            nil, "", "garbage", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] as [String?]
    )
    func beginsATraceOtherwise(given: String?) {
        let next = TraceContext(continuing: given).traceparent()
        #expect(next.wholeMatch(of: /00-[0-9a-f]{32}-[0-9a-f]{16}-00/) != nil)
    }
}
