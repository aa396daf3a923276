import ArgumentParser
import Foundation

/// Keep Extractor and Notion Writer in one, answering at once with what was made beforehand. Started by the
/// measurements.
///
/// A thread for each connection and nothing in between: what is measured is who asks. What a user's notes are stands in
/// the name: `COUNT-BYTES-ANYTHING`. It writes `Ready PORT`, and stops when its standard input ends.
struct InstantPeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "instant-peer", shouldDisplay: false)

    /// How long each write of a page takes.
    @Option var latencyMs = 0

    func run() async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let port = try Self.listen(listener)
        let latency = latencyMs
        Thread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { continue }
                var isOn: Int32 = 1
                setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
                let thread = Thread { PeerConversation(connection, latencyMilliseconds: latency).hold() }
                thread.stackSize = 1 << 20
                thread.start()
            }
        }.start()
        print("Ready \(port)")
        fflush(nil)
        for await _ in StandardInput.lines {}
    }

    /// Listens on a free port of 127.0.0.1.
    private static func listen(_ descriptor: Int32) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Glibc.listen(descriptor, 512) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isListening else { throw BenchError("no port on 127.0.0.1: errno \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }
}
