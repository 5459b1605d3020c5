package snippet

import "strings"

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
