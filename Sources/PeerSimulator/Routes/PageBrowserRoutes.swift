import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The pages the writer holds, to look at in a browser.
struct PageBrowserRoutes: Sendable {
    private static let rowsPerPage = 500

    let simulator: Simulator

    func add(to router: Router<SimulatorRequestContext>) {
        router.get("/") { request, _ in
            let query = FormQuery(request.uri.query ?? "")
            return Self.html(list(databaseID: query["database"], offset: query["offset"].flatMap { Int($0) } ?? 0))
        }
        router.get("/pages/{id}") { _, context in
            guard let page = simulator.pages.page(id: try context.parameters.require("id")) else {
                return Self.html(Self.document(title: "No such page", body: "<p>No such page.</p>"), status: .notFound)
            }
            return Self.html(Self.detail(page))
        }
    }

    private func list(databaseID: String?, offset: Int) -> String {
        let pages = simulator.pages.pages(databaseID: databaseID)
        let start = max(0, offset)
        let shown = pages.dropFirst(start).prefix(Self.rowsPerPage)
        var body = "<p>\(pages.count) pages"
        if shown.count < pages.count { body += ", \(start + 1) to \(start + shown.count)" }
        body += "</p>\n"
        if start + shown.count < pages.count {
            let filter = databaseID.map { "&database=" + Self.queryEncoded($0) } ?? ""
            body += "<p><a href=\"/?offset=\(start + shown.count)\(filter)\">More</a></p>\n"
        }
        body +=
            "<table><thead><tr><th>Title<th>Database<th>Labels<th>Images<th>Writes<th>Last write (UTC)</tr></thead><tbody>\n"
        for page in shown {
            body += """
                <tr><td dir="auto"><a href="/pages/\(page.id)">\(Self.escaped(page.title))</a>\(Self.mark(page))\
                <td><a href="/?database=\(Self.queryEncoded(page.databaseID))">\(Self.escaped(page.databaseID))</a>\
                <td>\(Self.escaped(page.labels.joined(separator: ", ")))<td>\(page.images.count)\
                <td>\(page.updates + 1)<td>\(page.updated.text(.naive).prefix(19).replacing("T", with: " "))</tr>

                """
        }
        return Self.document(title: "Pages in the simulated Notion", body: body + "</tbody></table>\n")
    }

    private static func detail(_ page: NotionPage) -> String {
        var body = "<p><a href=\"/\">All pages</a>\(mark(page))</p>\n<dl>"
        let facts = [
            ("Page", page.id), ("Database", page.databaseID), ("Labels", page.labels.joined(separator: ", ")),
            ("Note created", page.noteCreatedAt), ("Page created", page.created.text(.naive)),
            ("Last write", page.updated.text(.naive)), ("Writes", String(page.updates + 1)),
        ]
        for (name, value) in facts { body += "<dt>\(name)<dd>\(escaped(value))\n" }
        body += "</dl>\n"
        for (index, text) in page.appended.enumerated() {
            if index > 0 { body += "<hr>\n<p class=\"note\">Appended by update \(index)</p>\n" }
            for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
                body += "<p dir=\"auto\">\(escaped(String(line)))</p>\n"
            }
        }
        if !page.images.isEmpty {
            body += "<h2>Images</h2>\n<ul>"
            for image in page.images {
                body += "<li>\(escaped(image.filename)) <small>\(escaped(image.s3URL))</small>\n"
            }
            body += "</ul>\n"
        }
        return document(title: page.title, body: body)
    }

    private static func mark(_ page: NotionPage) -> String {
        switch page.presence {
        case .live: ""
        case .trashed: " <small>(in trash)</small>"
        case .removed, .removedBlock: " <small>(removed)</small>"
        }
    }

    private static func document(title: String, body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>\(escaped(title))</title>
        <style>
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
        table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd }
        dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1rem } dd { margin: 0 }
        a { color: #0b57d0 } small, dt, .note { color: #666 } p { overflow-wrap: anywhere }
        </style></head>
        <body><h1 dir="auto">\(escaped(title))</h1>
        \(body)</body></html>

        """
    }

    private static func html(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "text/html; charset=utf-8"
        headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// Text safe in HTML, in elements and in quoted attributes.
    static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func queryEncoded(_ text: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
        )
        return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }
}
