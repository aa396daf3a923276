import Testing

@testable import CurlHTTP

@Suite struct MessageTests {
    @Test(arguments: [
        ("http://h:1", "/a/b", "http://h:1/a/b"),
        ("http://h:1/", "a/b", "http://h:1/a/b"),
        ("https://h/base/", "/a b/", "https://h/base/a%20b/"),
        ("http://h/base", "", "http://h/base"),
        ("http://[::1]:80", "é", "http://[::1]:80/%C3%A9"),
    ])
    func urlOfBaseAndPath(base: String, path: String, url: String) throws {
        #expect(try HTTPRequest.url(base: base, path: path) == url)
    }

    @Test func queryIsEncoded() throws {
        let url = try HTTPRequest.url(
            base: "http://h",
            path: "/notes",
            query: [("since", "2026-01-02T03:04:05.5+00:00"), ("a&b", "=?/ ~_.-"), ("", "")]
        )
        #expect(url == "http://h/notes?since=2026-01-02T03%3A04%3A05.5%2B00%3A00&a%26b=%3D%3F%2F%20~_.-&=")
    }

    @Test func segmentStaysOneSegment() throws {
        #expect(try HTTPRequest.url(base: "http://h", path: ["pages", "a/b?c"]) == "http://h/pages/a%2Fb%3Fc")
        #expect(throws: CurlHTTPError.self) { try HTTPRequest.url(base: "http://h", path: ["pages", ".."]) }
        #expect(throws: CurlHTTPError.self) { try HTTPRequest.url(base: "http://h", path: "/pages/../x") }
    }

    @Test(arguments: ["", "h:1", "http//h", "ftp://h", "http://h?x=1", "http://h/#f", "http://:80"])
    func invalidBase(base: String) {
        let error = #expect(throws: CurlHTTPError.self) { try HTTPRequest.url(base: base, path: "/") }
        #expect(error?.code == .invalidRequest)
    }

    @Test(arguments: [
        ("0", 0), ("7", 7), ("120", 120), ("99999999999999999999999", 86_400), ("100000", 86_400),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60), ("Sunday, 06-Nov-94 08:50:37 GMT", 60), ("Sun Nov  6 08:50:37 1994", 60),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0), ("Wed, 06 Nov 2047 08:00:00 GMT", 86_400),
        ("", nil), ("-5", nil), ("1.5", nil), ("soon", nil), ("Sun", nil), ("7 8", nil), ("+3", nil),
    ])
    func retryAfter(value: String, seconds: Int?) {
        let headers: HTTPHeaders = ["retry-after": value, "Date": "Sun, 06 Nov 1994 08:49:37 GMT"]
        #expect(HTTPResponse(status: 429, headers: headers).retryAfter == seconds.map { .seconds($0) })
    }

    @Test func retryAfterWithoutADateOfTheServer() {
        let headers: HTTPHeaders = ["Retry-After": "Sun, 06 Nov 1994 08:50:37 GMT", "Date": "garbage"]
        #expect(HTTPResponse(status: 503, headers: headers).retryAfter(now: 784_111_777) == .seconds(60))
        #expect(HTTPResponse(status: 503).retryAfter == nil)
    }

    @Test func headersCompareWithoutCase() {
        var headers: HTTPHeaders = ["A": "1", "a": "2", "B": "3"]
        #expect(headers.values(of: "a") == ["1", "2"])
        headers["a"] = "4"
        #expect(headers.map(\.name) == ["B", "a"])
        headers["b"] = nil
        #expect(headers.count == 1)
    }

    @Test func admissionIsFairAmongOriginsAndOrderedWithin() {
        var queue = AdmissionQueue(totalLimit: 3, originLimit: 2)
        for identifier in UInt64(1)...4 { queue.enqueue(identifier, origin: "a") }
        queue.enqueue(10, origin: "b")
        queue.enqueue(11, origin: "b")
        let first = [queue.next(), queue.next(), queue.next()].compactMap { $0 }
        #expect(first.map(\.identifier) == [1, 10, 2])
        #expect(queue.next() == nil)
        queue.release(first[1])
        #expect(queue.next()?.identifier == 11)
        queue.release(first[0])
        #expect(queue.next()?.identifier == 3)
        #expect(queue.next() == nil)
    }

    @Test func admissionOfManyKeepsTheOrder() {
        var queue = AdmissionQueue(totalLimit: 1, originLimit: 1)
        for identifier in UInt64(0)..<10_000 { queue.enqueue(identifier, origin: "a") }
        for identifier in UInt64(0)..<10_000 {
            let ticket = queue.next()
            #expect(ticket?.identifier == identifier)
            ticket.map { queue.release($0) }
        }
        #expect(queue.next() == nil)
    }
}
