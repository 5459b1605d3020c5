package views

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/openapi"
	"gatehouse/internal/snippet"
)

// example is the request as a cURL command.
func (p APIDocsPage) example(o *openapi.Operation) string {
	body, file := "", ""
	path := o.Path
	if o.RequestBody != nil {
		for _, media := range o.RequestBody.Content {
			if text, isFile := media.Example.(string); isFile && text != "" {
				file = "rules.yml"
			} else {
				body = asJSON(media.Example, "")
			}
		}
	}
	for _, parameter := range o.Parameters {
		if parameter.In == "query" && parameter.Required {
			path += "?" + parameter.Name + "=" + parameter.Schema.Enum[0]
		}
	}
	return snippet.Call(p.Origin, o.Method, path, body, file)
}

// answer is an example of what comes back, or "".
func answer(o *openapi.Operation) string {
	if ok := o.Responses["200"]; ok != nil {
		for _, media := range ok.Content {
			if media.Example != nil {
				return asJSON(media.Example, "  ")
			}
		}
	}
	return ""
}

func asJSON(v any, indent string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		panic(err) // examples are made of strings and numbers
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// docRow is one line of a table of parameters or fields.
type docRow struct {
	name, kind, about string
	required          bool
}

func parameterRows(o *openapi.Operation) []docRow {
	var rows []docRow
	for _, p := range o.Parameters {
		rows = append(rows, docRow{p.Name, kindOf(p.Schema), p.Description, p.Required})
	}
	return rows
}

// requestRows are the fields of the body.
func (p APIDocsPage) requestRows(o *openapi.Operation) []docRow {
	if o.RequestBody == nil {
		return nil
	}
	return p.rows(o.RequestBody.Content, true)
}

// answerRows are the fields of the answer; of each element, where it is a list.
func (p APIDocsPage) answerRows(o *openapi.Operation) []docRow {
	if ok := o.Responses["200"]; ok != nil {
		return p.rows(ok.Content, false)
	}
	return nil
}

func (p APIDocsPage) rows(content map[string]*openapi.Media, request bool) []docRow {
	media := content["application/json"]
	if media == nil || media.Schema == nil {
		return nil
	}
	s := media.Schema
	if s.Items != nil {
		s = s.Items
	}
	return p.fieldRows("", s, request)
}

// fieldRows gives the fields of an object, those of objects within it included.
func (p APIDocsPage) fieldRows(prefix string, s *openapi.Schema, request bool) []docRow {
	s = p.Document.Resolve(s)
	var rows []docRow
	for _, name := range s.Order {
		field := s.Properties[name]
		rows = append(rows, docRow{prefix + name, kindOf(field), aboutField(field), request && slices.Contains(s.Required, name)})
		if inner := innerObject(field); inner != nil {
			rows = append(rows, p.fieldRows(prefix+name+".", inner, request)...)
		}
	}
	return rows
}

// innerObject gives the object that a field holds, or holds a list of.
func innerObject(s *openapi.Schema) *openapi.Schema {
	for _, one := range append([]*openapi.Schema{s, s.Items}, s.AnyOf...) {
		if one != nil && one.Ref != "" {
			return one
		}
	}
	return nil
}

func aboutField(s *openapi.Schema) string {
	if s.Enum == nil {
		return s.Description
	}
	return s.Description + " One of: " + strings.Join(s.Enum, ", ") + "."
}

func kindOf(s *openapi.Schema) string {
	switch t := s.Type.(type) {
	case string:
		if s.Items != nil {
			return "list"
		}
		if s.Format == "date-time" {
			return "time"
		}
		return t
	case []string:
		return kindOf(&openapi.Schema{Type: t[0], Items: s.Items, Format: s.Format})
	}
	return "object"
}

// statusRow is one status that an operation may answer with.
type statusRow struct{ status, about string }

func statusRows(o *openapi.Operation) []statusRow {
	var rows []statusRow
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		if status == "default" {
			continue
		}
		about := o.Responses[status].Description
		if status == "200" || status == "204" {
			about = "Done."
			if status == "204" {
				about = "Done; the answer is empty."
			}
		}
		rows = append(rows, statusRow{status, about})
	}
	return rows
}

// paragraphs of a description.
func paragraphs(text string) []string { return strings.Split(text, "\n\n") }

// slug is a name as the anchor of a heading.
func slug(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }
