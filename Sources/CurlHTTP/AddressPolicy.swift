/// Addresses that an ``HTTPClient`` may connect to, checked after the name has been resolved.
public enum AddressPolicy: Sendable, Equatable {
    /// All.
    case any
    /// Those of the public Internet: no loopback, private, link-local, shared, metadata, multicast or reserved address,
    /// also not as an IPv4 address inside an IPv6 one. Other hosts fail with ``CurlHTTPError/Code/addressRefused``.
    case publicOnly
}
