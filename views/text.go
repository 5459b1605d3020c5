package views

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/gatehouse"
)

// sentence begins with a capital letter and ends in a full stop, as the screen shows messages. The names of VictoriaMetrics'
// programs, such as vmselect, stay as they are.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, size := utf8.DecodeRuneInString(s)
	if !strings.HasPrefix(s, "vm") {
		s = string(unicode.ToUpper(r)) + s[size:]
	}
	if !strings.ContainsRune(".!?:", rune(s[len(s)-1])) {
		s += "."
	}
	return s
}

// age says how long ago t was. The script time.js says it in the same words while the page stays open.
func age(t, now time.Time) string {
	seconds := int(now.Sub(t) / time.Second)
	switch {
	case seconds < 5:
		return "just now"
	case seconds < 60:
		return count(seconds, "second") + " ago"
	case seconds < 3600:
		return count(seconds/60, "minute") + " ago"
	case seconds < 48*3600:
		return count(seconds/3600, "hour") + " ago"
	case seconds < 60*24*3600:
		return count(seconds/(24*3600), "day") + " ago"
	}
	return count(seconds/(30*24*3600), "month") + " ago"
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return number(n) + " " + noun
}

// number groups digits: 10,000.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// utc is a time as the screen shows it before the script has put it into the viewer's zone.
func utc(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04") }

// client names the program that used a token.
func client(u gatehouse.Use) string {
	const most = 60
	if agent := []rune(u.UserAgent); len(agent) > most {
		return string(agent[:most]) + "…"
	}
	return u.UserAgent
}

// origin says where a request came from: address, and client when it told.
func origin(u gatehouse.Use) string {
	if c := client(u); c != "" {
		return u.Addr + ", " + c
	}
	return u.Addr
}

// evidence says who used a token: "10.0.0.7 (vmagent/1.151.0)".
func evidence(u gatehouse.Use) string {
	if c := client(u); c != "" {
		return u.Addr + " (" + c + ")"
	}
	return u.Addr
}

const (
	dots    = "••••••••••••••••"
	fewDots = "••••••••"
)

// maskedKey is a secret as lists show it.
func maskedKey(t gatehouse.Token) string { return t.Mask + dots }

// activity says what a token has done in the last minutes and how much of its limit it uses now, or "" when it did nothing.
func activity(a gatehouse.TokenActivity, limit int) string {
	if a.Requests+a.Refusals+a.Running+a.Waiting == 0 {
		return ""
	}
	text := count(a.Requests, "request")
	if a.Refusals > 0 {
		text += ", " + number(a.Refusals) + " refused"
	}
	text += " in " + count(int(a.Period/time.Minute), "minute") + "; now " + number(a.Running) + " of " + number(limit)
	if a.Waiting > 0 {
		text += ", " + number(a.Waiting) + " waiting"
	}
	return text
}

// activityNow is activity in a sentence of its own.
func activityNow(a gatehouse.TokenActivity, limit int) string {
	switch text := activity(a, limit); {
	case text != "":
		return text
	case a.Period == 0:
		return "not known"
	}
	return "no request in " + count(int(a.Period/time.Minute), "minute")
}

// browser names the program behind a User-Agent: "Firefox on Linux".
func browser(agent string) string {
	name, system := "", ""
	// The order counts: each browser also names those before which it came.
	for _, known := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if name == "" && strings.Contains(agent, known[0]) {
			name = known[1]
		}
	}
	for _, known := range [][2]string{{"Android", "Android"}, {"iPhone", "iOS"}, {"iPad", "iOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}} {
		if system == "" && strings.Contains(agent, known[0]) {
			system = known[1]
		}
	}
	switch {
	case name == "":
		return orUnknown(client(gatehouse.Use{UserAgent: agent}))
	case system == "":
		return name
	}
	return name + " on " + system
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// roleSentence tells people what they may do.
func roleSentence(r gatehouse.Role) string {
	switch r {
	case gatehouse.Admin:
		return "You may do everything: run deployments, hand out access tokens, manage users and API keys, and read the audit log."
	case gatehouse.Editor:
		return "You run deployments, hand out access tokens, upload rules and read the audit log. Users and API keys are for admins."
	}
	return "You may look at deployments. Access tokens, changes and the audit log are for editors and admins."
}

// keyDeployments says what an API key is for. A deployment without a name has been deleted.
func keyDeployments(k gatehouse.APIKey, names map[string]string) string {
	if k.Deployments == nil {
		return "all"
	}
	var known []string
	for _, id := range k.Deployments {
		if name, ok := names[id]; ok {
			known = append(known, name)
		}
	}
	if gone := len(k.Deployments) - len(known); gone > 0 {
		known = append(known, number(gone)+" deleted")
	}
	return strings.Join(known, ", ")
}

// loadText says how busy the access endpoint is, beside its limit.
func loadText(l gatehouse.EndpointLoad) string {
	text := "All tokens of all deployments together: " + number(l.Running) + " of at most " + number(l.Limit) + " requests running"
	if l.Waiting > 0 {
		text += ", " + number(l.Waiting) + " waiting in line"
	}
	return text + "."
}
