import Foundation
import TestSupport
import Testing

/// What the machine's other accounts see of the programs, and how these are linked and supervised.
@Suite("Neighbours")
struct NeighbourTests {
    private static let programs = ["sync-worker", "sync-sidecar", "sync-intake"]
    private static let nobody = 65_534

    private static var builtProducts: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }

    private static var repository: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    /// What others of its user may not read of a process is owned by root in /proc.
    @Test(.enabled(if: geteuid() == 0), arguments: NeighbourTests.programs)
    func aProgramCannotBeReadByOthersOfItsUser(program: String) async throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/setpriv")
        process.arguments = [
            "--reuid=\(Self.nobody)", "--regid=\(Self.nobody)", "--clear-groups",
            Self.builtProducts.appending(path: program).path,
        ]
        // Nobody listens there: the programs wait for their database.
        process.environment = [
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "SYNC_SERVICE_PORT": "\(try freePort())",
            "HOME": "/nonexistent",
            "TMPDIR": "/tmp", "AWS_ENCRYPTION_KEY": Data(repeating: 7, count: 32).base64EncodedString(),
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        // Its first line comes after it has made itself unreadable.
        let line = try #require(try output.fileHandleForReading.read(upToCount: 1))
        #expect(!line.isEmpty)
        let folder = "/proc/\(process.processIdentifier)"
        let owner = try FileManager.default.attributesOfItem(atPath: "\(folder)/environ")[.ownerAccountID] as? Int
        #expect(owner == 0, "its environment could be read")
        let limits = try String(contentsOfFile: "\(folder)/limits", encoding: .utf8)
        #expect(limits.contains(#/Max core file size +0 +0 /#), "\(limits)")
    }

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/readelf")),
        arguments: NeighbourTests.programs + ["syncctl"]
    )
    func aProgramIsLinkedWithFullRELRO(program: String) throws {
        let text = try run("/usr/bin/readelf", ["-dlW", Self.builtProducts.appending(path: program).path])
        #expect(text.contains("GNU_RELRO"))
        #expect(text.contains(/FLAGS.*NOW/))
    }

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")),
        arguments: ["sync-worker@.service", "sync-sidecar.service", "sync-intake.service"]
    )
    func aUnitIsHardlyExposed(unit: String) throws {
        let path = Self.repository.appending(path: "deploy/systemd/\(unit)").path
        let text = try run(
            "/usr/bin/systemd-analyze",
            ["security", "--offline=true", "--no-pager", "--threshold=20", path]
        )
        #expect(text.contains("Overall exposure level"))
    }

    @Test func theBillOfMaterialsIsWhatIsBuilt() throws {
        _ = try run(Self.repository.appending(path: "deploy/sbom").path, ["--check"])
    }

    /// Libraries that come with another that the bill has.
    private static let parts = [
        "libm": "libc", "ld-linux-x86-64": "libc", "ld-linux-aarch64": "libc", "libgcc_s": "libstdc++",
        "libBlocksRuntime": "swift", "libdispatch": "swift",
    ]

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/readelf")),
        arguments: NeighbourTests.programs + ["syncctl"]
    )
    func theBillOfMaterialsHasWhatAProgramLinks(program: String) throws {
        let bill = try String(contentsOf: Self.repository.appending(path: "sbom.json"), encoding: .utf8)
        let text = try run("/usr/bin/readelf", ["-dW", Self.builtProducts.appending(path: program).path])
        let libraries = text.matches(of: /\(NEEDED\).*\[([^\]]+?)\.so[^\]]*\]/).map { String($0.1) }
        #expect(libraries.contains("libpq"), "\(text)")
        for library in libraries {
            let isSwift = library.hasPrefix("libswift") || library.contains("Foundation")
            let name = isSwift ? "swift" : Self.parts[library] ?? library
            #expect(bill.contains("\"name\": \"\(name)\""), "\(library)")
        }
    }

    /// Swift's runtime can write memory of a process that crashes, notes and tokens in it.
    @Test(arguments: [
        "systemd/sync-worker@.service", "systemd/sync-sidecar.service", "systemd/sync-intake.service", "Dockerfile",
    ])
    func aCrashWritesNoMemoryIntoTheLog(file: String) throws {
        let text = try String(contentsOf: Self.repository.appending(path: "deploy/\(file)"), encoding: .utf8)
        #expect(text.contains(/(?m)^(Environment=|ENV .* )SWIFT_BACKTRACE=enable=no$/))
    }

    /// As the Dockerfile builds them and looks at them, a search path of libraries does not lead into a toolchain;
    /// `deploy/check-programs` complains of one that does.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/readelf")))
    func aSearchPathIntoAToolchainIsFound() throws {
        let dynamic = try run("/usr/bin/readelf", ["-dW", Self.builtProducts.appending(path: "sync-worker").path])
        let leads = dynamic.matches(of: /R(?:UN)?PATH\).*\[(.*)\]/).contains { $0.1 != "$ORIGIN" }
        let script = Self.repository.appending(path: "deploy/check-programs").path
        let text = try run(script, [Self.builtProducts.path], isSuccess: !leads)
        #expect(text.contains("libraries are sought in") == leads, "\(text)")
    }

    private func run(_ program: String, _ arguments: [String], isSuccess: Bool = true) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect((process.terminationStatus == 0) == isSuccess, "\(text)")
        return text
    }
}
