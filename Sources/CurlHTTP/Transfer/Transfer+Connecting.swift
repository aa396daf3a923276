import CCurl
import Foundation

extension Transfer {
    /// Whether curl may connect to an address. A host may have several; curl tries the next one after a refusal.
    func mayConnect(to address: UnsafePointer<curl_sockaddr>) -> Bool {
        guard let ip = IPAddress(address) else {
            abort = .addressRefused("of an unknown kind")
            return false
        }
        guard ip.isPublic else {
            abort = .addressRefused("\(ip)")
            return false
        }
        return true
    }
}

extension IPAddress {
    /// The address in curl's structure; nil if it is not one of the Internet Protocol.
    fileprivate init?(_ address: UnsafePointer<curl_sockaddr>) {
        // An IPv6 address is longer than the field that it begins in.
        let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0
        let start = UnsafeRawPointer(address) + offset
        let length = Int(address.pointee.addrlen)
        switch address.pointee.family {
        case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
            let whole = start.loadUnaligned(as: sockaddr_in.self)
            self = .v4(withUnsafeBytes(of: whole.sin_addr) { Array($0) })
        case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
            let whole = start.loadUnaligned(as: sockaddr_in6.self)
            self = .v6(withUnsafeBytes(of: whole.sin6_addr) { Array($0) })
        default:
            return nil
        }
    }
}
