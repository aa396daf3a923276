import Foundation
import Settings

/// Where something was measured.
struct Machine: Codable, Sendable {
    var processor: String
    var cores: Int
    var memory: String
    var kernel: String
    var version: String

    static func current() -> Machine {
        var names = utsname()
        uname(&names)
        let release = withUnsafeBytes(of: &names.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return Machine(
            processor: field("model name", of: "/proc/cpuinfo") ?? "unknown",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            memory: "\(ProcessInfo.processInfo.physicalMemory >> 30) GiB",
            kernel: "Linux \(release)",
            version: ServiceVersion.current
        )
    }

    private static func field(_ name: String, of path: String) -> String? {
        // Without the file the name stays unknown.
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
    }

    /// The kind of file system a folder is on, as the kernel names it.
    static func fileSystem(of folder: String) -> String {
        let text = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        var found = (point: "", kind: "unknown")
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 2, words[1].count >= found.point.count else { continue }
            let point = words[1] == "/" ? "/" : words[1] + "/"
            if (folder + "/").hasPrefix(point) { found = (words[1], words[2]) }
        }
        return found.kind
    }
}
