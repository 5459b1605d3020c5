package rulefile

import (
	"errors"
	"regexp"
	"strings"
	"text/template"
)

// mostTemplate bounds a template in bytes: the parser takes a stack that grows with the nesting, which the Go runtime cuts by ending
// the whole program.
const mostTemplate = 64 << 10

// templateHeader declares the variables that vmalert gives to templates,
// https://docs.victoriametrics.com/victoriametrics/vmalert/#templating.
const templateHeader = `{{ $value := 0 }}{{ $type := 0 }}{{ $labels := 0 }}{{ $expr := 0 }}{{ $interval := 0 }}{{ $externalLabels := 0 }}` +
	`{{ $externalURL := 0 }}{{ $alertID := 0 }}{{ $groupID := 0 }}{{ $activeAt := 0 }}{{ $for := 0 }}{{ $isPartial := 0 }}`

// templateFuncs are the functions of vmalert's templates by name. They are never called here.
var templateFuncs = func() template.FuncMap {
	funcs := template.FuncMap{}
	for _, name := range strings.Fields(`args crlfEscape externalURL first formatTime htmlEscape humanize humanize1024 humanizeDuration
		humanizePercentage humanizeTimestamp jsonEscape label match now parseDuration parseDurationTime pathEscape pathPrefix query queryEscape
		quotesEscape reReplaceAll safeHtml sortByLabel stripDomain stripPort strvalue title toLower toTime toUpper value`) {
		funcs[name] = func(...any) string { return "" }
	}
	return funcs
}()

// templatePosition is what errors begin with: a line of the template, which says little about the file.
var templatePosition = regexp.MustCompile(`^template: :\d+:(\d+:)? `)

// checkTemplate checks a label or annotation. It parses but never executes: what a template does depends on the data.
func checkTemplate(s string) error {
	if !strings.Contains(s, "{{") || !strings.Contains(s, "}}") { // as vmalert decides
		return nil
	}
	if len(s) > mostTemplate {
		return errors.New("it is longer than 64 KB")
	}
	_, err := template.New("").Funcs(templateFuncs).Parse(templateHeader + s)
	if err != nil {
		return errors.New(templatePosition.ReplaceAllString(err.Error(), ""))
	}
	return nil
}
