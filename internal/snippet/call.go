package snippet

import (
	"net/http"
	"regexp"
	"strings"
)

// Call is a cURL command for one operation of the management API. file, unless empty, is sent as it is; otherwise body is.
func Call(consoleURL, method, path, body, file string) string {
	var b strings.Builder
	b.WriteString("curl -sS --fail-with-body -w '\\n' -H @- \\\n")
	switch {
	case file != "":
		b.WriteString("  --data-binary @" + file + " \\\n")
	case body != "":
		b.WriteString("  --data-raw " + shellQuote(body) + " \\\n")
	}
	if implied := method == http.MethodGet || method == http.MethodPost && body+file != ""; !implied {
		b.WriteString("  -X " + method + " \\\n")
	}
	b.WriteString("  " + shellQuote(printable(consoleURL)+withPlaceholders(path)) + " <<EOF\n" +
		"X-VM-Cloud-Access: $GATEHOUSE_API_KEY\nEOF\n")
	return b.String()
}

var pathParts = map[string]string{"id": "DEPLOYMENT_ID", "tid": "TOKEN_ID", "name": "FILE_NAME", "key": "API_KEY_ID", "user": "USER_ID"}

var inBraces = regexp.MustCompile(`\{\w+\}`)

// withPlaceholders replaces what stands in braces, which cURL would take for a pattern.
func withPlaceholders(path string) string {
	return inBraces.ReplaceAllStringFunc(path, func(part string) string { return pathParts[strings.Trim(part, "{}")] })
}
