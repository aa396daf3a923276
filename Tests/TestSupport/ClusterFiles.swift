import Foundation

/// The folder of a private cluster, made by `initdb`, and the words that start programs as the server's user.
struct ClusterFiles {
    let folder: String
    let port: Int
    let binaries: String
    /// What stands before a command line so that it runs as an ordinary user; empty unless the tests run as root.
    private let userPrefix: [String]

    /// Makes the folder, which is still empty.
    static func make() throws -> ClusterFiles {
        let template = FileManager.default.temporaryDirectory.appending(path: "pg-XXXXXX").path
        var path = Array(template.utf8CString)
        guard mkdtemp(&path) != nil else { throw SpawnError(description: "cannot make a folder: errno \(errno)") }
        let folder = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let user = getuid() == 0 ? try ordinaryUser() : nil
        if let user {
            guard chown(folder, user.id, user.group) == 0 else {
                throw SpawnError(description: "cannot give \(folder) to \(user.name): errno \(errno)")
            }
        }
        return ClusterFiles(
            folder: folder,
            port: try freePort(),
            binaries: try serverBinaries(),
            userPrefix: user.map(\.prefix) ?? []
        )
    }

    /// The shell that starts and stops the server on command, and cleans up when the pipe to it ends.
    func startSupervisor(_ options: PrivateCluster.Options) throws -> ChildProcess {
        let script = """
            folder=$1; shift; server=
            trap '' PIPE HUP INT QUIT
            # A server that has only just been forked does not take signals yet, so one is not enough.
            stop() { while kill -$1 $server 2>/dev/null; do sleep 0.05; done; wait $server; server=; }
            while read -r command; do
                case $command in
                    start) "$@" >>"$folder/log" 2>&1 </dev/null & server=$! ;;
                    fast) stop INT ;;
                    immediate) stop QUIT ;;
                esac
                echo done
            done
            if [ -n "$server" ]; then stop QUIT; fi
            cd /
            # An initdb that was cut off may still be writing.
            until rm -rf "$folder" 2>/dev/null; do sleep 0.2; done
            """
        let server = ["\(binaries)/postgres", "-D", "\(folder)/data"] + settings(options).flatMap { ["-c", $0] }
        var clock: [String] = []
        if let library = options.clockLibrary {
            try setClock(0)
            clock = [
                "/usr/bin/env", "LD_PRELOAD=\(library)", "FAKETIME_TIMESTAMP_FILE=\(clockFile)", "FAKETIME_NO_CACHE=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
            ]
        }
        let words = userPrefix + ["/bin/sh", "-c", script, "sh", folder] + clock + server
        return try ChildProcess(
            executable: words[0],
            arguments: Array(words.dropFirst()),
            environment: ProcessInfo.processInfo.environment.merging(
                options.language == nil ? [:] : ["LOCPATH": locales],
                uniquingKeysWith: { $1 }
            )
        )
    }

    private var clockFile: String { "\(folder)/clock" }

    func setClock(_ offset: Int) throws {
        try "\(offset < 0 ? "" : "+")\(offset)\n".write(toFile: clockFile, atomically: true, encoding: .utf8)
    }

    private var locales: String { "\(folder)/locales" }

    private func settings(_ options: PrivateCluster.Options) -> [String] {
        var settings = [
            "port": String(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": folder,
            "max_connections": "200", "timezone": "America/New_York", "shared_buffers": "32MB",
        ]
        if !options.fsync {
            settings.merge(["fsync": "off", "full_page_writes": "off"]) { $1 }
        }
        if options.tls {
            settings.merge([
                "ssl": "on", "ssl_cert_file": "\(folder)/server.crt", "ssl_key_file": "\(folder)/server.key",
            ]) { $1 }
        }
        if let language = options.language { settings["lc_messages"] = "\(language).UTF-8" }
        return settings.merging(options.settings) { $1 }.map { "\($0)=\($1)" }
    }

    /// Fills the folder by `initdb`, and makes the certificate.
    func initialise(_ options: PrivateCluster.Options) throws {
        var arguments = ["-D", "\(folder)/data", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
        if let password = options.password {
            try Data((password + "\n").utf8).write(to: URL(filePath: "\(folder)/password"))
            arguments += ["--pwfile", "\(folder)/password", "-A", "scram-sha-256"]
        } else {
            arguments += ["-A", "trust"]
        }
        try runAsServerUser(["\(binaries)/initdb"] + arguments)
        if let language = options.language {
            try runAsServerUser(["/bin/mkdir", locales])
            try runAsServerUser([
                "/usr/bin/localedef", "-i", language, "-f", "UTF-8", "--no-archive", "\(locales)/\(language).UTF-8",
            ])
        }
        if options.tls {
            try runAsServerUser([
                "/usr/bin/openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-out", "\(folder)/server.crt", "-keyout", "\(folder)/server.key",
            ])
        }
    }

    /// Starts a program as the server's user, with nothing to read.
    func startAsServerUser(_ command: [String]) throws -> ChildProcess {
        let words = userPrefix + command
        let run = try ChildProcess(
            executable: words[0],
            arguments: Array(words.dropFirst()),
            environment: ProcessInfo.processInfo.environment
        )
        run.closeInput()
        return run
    }

    private func runAsServerUser(_ command: [String]) throws {
        let run = try startAsServerUser(command)
        // Blocking is right here: it is done once, and nothing else of the test can go on without it.
        while run.exit == nil { usleep(5_000) }
        guard run.exit == .code(0) else {
            throw SpawnError(
                description: "\(command[0]) failed:\n\((run.output + run.errorOutput).joined(separator: "\n"))"
            )
        }
    }

    private struct User {
        let name: String
        let id: uid_t
        let group: gid_t

        var prefix: [String] {
            let runuser = ["/usr/sbin/runuser", "/sbin/runuser"].first(where: FileManager.default.isExecutableFile)
            if let runuser {
                return [runuser, "-u", name, "--"]
            }
            return ["/usr/bin/setpriv", "--reuid", name, "--regid", String(group), "--clear-groups", "--"]
        }
    }

    /// Whom the server runs as if the tests run as root, which PostgreSQL refuses.
    private static func ordinaryUser() throws -> User {
        for name in ["postgres", "nobody"] {
            if let entry = getpwnam(name) {
                return User(name: name, id: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
            }
        }
        throw SpawnError(description: "neither the user postgres nor nobody exists to run PostgreSQL as")
    }

    /// The folder in `SYNC_TEST_POSTGRES`, else the newest version under Debian's folder, or what is on the search
    /// path.
    private static func serverBinaries() throws -> String {
        if let chosen = ProcessInfo.processInfo.environment["SYNC_TEST_POSTGRES"], !chosen.isEmpty { return chosen }
        let root = "/usr/lib/postgresql"
        // Without that folder the list is empty and the search path is asked.
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }
        for version in versions.sorted(by: >) {
            let folder = "\(root)/\(version)/bin"
            if FileManager.default.isExecutableFile(atPath: "\(folder)/initdb") { return folder }
        }
        for folder in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") {
            if FileManager.default.isExecutableFile(atPath: "\(folder)/initdb") { return String(folder) }
        }
        throw SpawnError(description: "PostgreSQL's server programs were not found: install the package postgresql")
    }
}
