import Foundation
import Logging
import Support
import Testing

@testable import Telemetry

@Suite struct LogHandlerTests {
    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_471_935_042, "2026-11-23T22:12:15.042Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ])
    func `Times are RFC 3339 in UTC`(milliseconds: Int, expected: String) {
        #expect(LogTimestamp(milliseconds: milliseconds).rfc3339 == expected)
    }

    @Test func `A line for people is aligned and holds its pairs`() throws {
        let sink = LogSink()
        var logger = sink.logger(.human)
        logger[metadataKey: "user"] = "a@b.c"
        logger.info("job claimed", metadata: ["job": ["id": "7", "tags": ["x", "y z"]]])
        logger.warning("no pairs", error: Failure(description: "went \"wrong\""))
        let lines = try sink.text().split(separator: "\n")
        let stamp = #/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /#
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.firstMatch(of: stamp) != nil })
        let padding = String(repeating: " ", count: 44 - "job claimed".count)
        #expect(
            lines[0].dropFirst(25)
                == "INFO     job claimed\(padding) job.id=7 job.tags.0=x job.tags.1=\"y z\" user=a@b.c"
        )
        #expect(lines[1].contains("WARNING  no pairs"))
        #expect(
            lines[1].hasSuffix(#"error="went \"wrong\"" user=a@b.c"#) || lines[1].hasSuffix(#"error="went \"wrong\"""#)
        )
    }

    @Test func `A line for programs is one JSON object`() throws {
        let sink = LogSink()
        var logger = sink.logger(.json)
        logger[metadataKey: "user"] = "a@b.c"
        logger.error("bad \"thing\"", error: Failure(description: "E"), metadata: ["job": ["id": "7"], "n": "\(3)"])
        logger.info("bare")
        let lines = try sink.text().split(separator: "\n")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(object["level"] as? String == "error")
        #expect(object["logger"] as? String == "test")
        #expect(object["message"] as? String == "bad \"thing\"")
        #expect(object["error"] as? String == "E")
        #expect(object["metadata"] as? [String: String] == ["job.id": "7", "n": "3", "user": "a@b.c"])
        #expect((object["timestamp"] as? String)?.hasSuffix("Z") == true)
        #expect(try JSONSerialization.jsonObject(with: Data(lines[1].utf8)) is [String: Any])
    }

    @Test(arguments: LogFormat.allCases)
    func `One event is one line, whatever it holds`(format: LogFormat) throws {
        let sink = LogSink()
        let nasty = "a\nb\r\nc\u{2028}d\u{85}e\u{1B}[31m\0\u{B}\u{C}"
        sink.logger(format).info("\(nasty)", metadata: ["k\n2": "\(nasty)"])
        let text = try sink.text()
        #expect(text.unicodeScalars.filter { $0 == "\n" }.count == 1 && text.hasSuffix("\n"))
        #expect(!text.dropLast().unicodeScalars.contains { $0.properties.generalCategory == .control })
        #expect(!text.unicodeScalars.contains("\u{2028}"))
    }

    @Test(arguments: LogFormat.allCases)
    func `Controls that turn a text around are made visible`(format: LogFormat) throws {
        let sink = LogSink()
        let nasty = "a\u{202E}b\u{2066}c\u{200E}d\u{200F}e\u{61C}f"
        sink.logger(format).info("\(nasty)", metadata: ["k\u{202B}": "\(nasty)"])
        let text = try sink.text()
        #expect(!text.unicodeScalars.contains { $0.properties.isBidiControl })
        #expect(
            text.contains(
                format == .json
                    ? #"a\u202eb\u2066c\u200ed\u200fe\u061cf"# : #"a\u{202e}b\u{2066}c\u{200e}d\u{200f}e\u{61c}f"#
            )
        )
    }

    @Test(arguments: LogFormat.allCases)
    func `No registered secret survives in any line`(format: LogFormat) throws {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("abcXYZ019-_./+= \"\\'{}:&%\u{e9}\u{5d0}\u{1f600}\n\t")
        for _ in 0..<60 {
            let secret = "s3" + String((0..<12).map { _ in alphabet.randomElement(using: &random) ?? "x" })
            Redactor.register(secret)
            defer { Redactor.unregister(secret) }
            let escaped = String(decoding: JSONText.escaped(secret), as: UTF8.self)
            let sink = LogSink()
            let logger = sink.logger(format)
            logger.info("\(secret)")
            logger.info("x\(secret)\(secret)y \(escaped)", metadata: ["a": "<\(secret)>", "b": ["c": ["\(escaped)"]]])
            logger.error("x", error: Failure(description: "failed: \(secret)"), metadata: ["\(secret)": "v"])
            let text = try sink.text()
            let printed = String(decoding: LogLine.escaped(secret), as: UTF8.self)
            for form in [secret, escaped, printed] {
                #expect(!text.contains(form), "\(form) in \(text)")
            }
        }
    }

    @Test func `Colours are used only when asked for or on a terminal`() throws {
        let sink = LogSink()
        Logger(label: "t") { HumanLogHandler(label: $0, output: sink.output) }.info("plain")
        Logger(label: "t") { HumanLogHandler(label: $0, output: sink.output, usesColor: true) }.info("coloured")
        let lines = try sink.text().split(separator: "\n")
        #expect(!lines[0].contains("\u{1B}"))
        #expect(lines[1].contains("\u{1B}[32mINFO\u{1B}[0m     coloured"))
    }

    @Test func `Levels and metadata providers are respected`() throws {
        let sink = LogSink()
        let provider = Logger.MetadataProvider { ["job": "provided", "own": "provided"] }
        var logger = Logger(label: "t") {
            JSONLogHandler(label: $0, level: .warning, output: sink.output, metadataProvider: provider)
        }
        logger[metadataKey: "job"] = "handler"
        logger.info("hidden")
        logger.warning("shown", metadata: ["own": "event"])
        let text = try sink.text()
        #expect(!text.contains("hidden"))
        #expect(text.contains(#""metadata":{"job":"provided","own":"event"}"#))
    }
}
