import Foundation
import Testing

@testable import CurlHTTP

@Suite("Addresses that may be connected to")
struct AddressTests {
    private func address(_ text: String) throws -> IPAddress {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 { return .v4(withUnsafeBytes(of: v4) { Array($0) }) }
        try #require(inet_pton(AF_INET6, text, &v6) == 1)
        return .v6(withUnsafeBytes(of: v6) { Array($0) })
    }

    @Test(arguments: [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
        "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254",
        "ff02::1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "100::1",
    ])
    func notPublic(text: String) throws {
        #expect(try !address(text).isPublic)
    }

    @Test(arguments: [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.1.1.1", "128.0.0.1",
        "169.253.1.1", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.1.1", "198.17.1.1", "198.20.0.0",
        "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::",
        "2001:4860:4860::8888", "2001:200::1",
    ])
    func isPublic(text: String) throws {
        #expect(try address(text).isPublic)
    }

    private func client(_ policy: AddressPolicy) -> HTTPClient {
        HTTPClient(configuration: HTTPClientConfiguration(usesProxyFromEnvironment: false, addressPolicy: policy))
    }

    @Test("A client for public addresses does not reach this machine, by whatever name")
    func refused() async throws {
        let server = try SocketServer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 204 No Content\r\n\r\n")
        }
        defer { server.stop() }
        for host in ["127.0.0.1", "localhost", "127.1"] {
            let error = try await #require(throws: CurlHTTPError.self) {
                _ = try await client(.publicOnly).execute(HTTPRequest(url: "http://\(host):\(server.port)/"))
            }
            #expect(error.code == .addressRefused && !error.requestMayHaveBeenSent, "\(error)")
        }
        #expect(server.acceptedConnections == 0)
        #expect(try await client(.any).execute(HTTPRequest(url: server.url)).status == 204)
    }
}
