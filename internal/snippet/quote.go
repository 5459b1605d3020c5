package snippet

import (
	"regexp"
	"strings"
)

// shellQuote makes s one word for every POSIX shell. Single quotes keep all characters as they are, also ! in an interactive bash
// and zsh.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quote makes s a double-quoted string for YAML, TOML and JSON alike. Only printable characters may be in s.
func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// doubled is quote for programs that replace $NAME by an environment variable after they have parsed their file, and take $$ for a
// dollar sign: the OpenTelemetry Collector and Grafana.
func doubled(s string) string { return quote(strings.ReplaceAll(s, "$", "$$")) }

// coded is quote for programs that replace $NAME before they parse their file, and must not see a dollar sign: Telegraf and Vector.
func coded(s string) string { return strings.ReplaceAll(quote(s), "$", `\u0024`) }

// plainWord is what no shell changes.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.:/-]+$`)

// word is s, cleaned, as one word of a command, in quotes where it needs them.
func word(s string) string {
	if s = printable(s); plainWord.MatchString(s) {
		return s
	}
	return shellQuote(s)
}

// hcl makes s, cleaned, a string of Terraform, which takes ${ and %{ for the beginning of a template.
func hcl(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quote(printable(s)))
}

// identifier makes a name of a Terraform resource: letters, digits and underscores, a letter first. It begins with kind where the
// name would not do.
func identifier(name, kind string) string {
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9') })
	id := strings.Join(parts, "_")
	if id == "" || '0' <= id[0] && id[0] <= '9' {
		id = strings.TrimRight(kind+"_"+id, "_")
	}
	return id
}
