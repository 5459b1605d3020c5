package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openapi"
)

// Limits of request bodies, in bytes.
const (
	mostJSON     = 64 << 10
	mostLongJSON = 1 << 20 // with many tokens, or with certificates
)

// mostDrained is how much of a body that is too large is read and thrown away. Clients read the answer only after they have sent
// all, and would see a broken connection instead of the reason.
const mostDrained = 64 << 20

// decodeRequest fills in from the query of a GET, or else from the body. Every POST takes a JSON object, {} where there is nothing to
// say: what VictoriaMetrics Cloud's client uploads under a name such as ../../stop comes to another path, which must not take that
// file, or an empty one, for a wish of its own.
func decodeRequest(r *http.Request, in any) error {
	if _, nothing := in.(*none); nothing && r.Method != http.MethodPost {
		return nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return decodeQuery(r.URL.RawQuery, in)
	}
	body, err := io.ReadAll(r.Body) // which is in memory
	if err != nil {
		return err
	}
	return decodeJSON(body, in)
}

// readAhead reads the whole body into memory, and puts it back for the endpoint. Routes that take none have the limit 0.
func readAhead(w http.ResponseWriter, r *http.Request, limit int64) error {
	if limit == 0 {
		return nil
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// readBody reads a body of at most limit bytes. Content-Type is not looked at: clients of this API send none, or a wrong one.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, refusal{http.StatusUnsupportedMediaType, "the body is compressed; send it as it is, without Content-Encoding"}
	}
	var body []byte
	tooLarge := r.ContentLength > limit
	if !tooLarge {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, limit+1)); err != nil {
			return nil, refusal{http.StatusBadRequest, "the body could not be read to its end; send it again"}
		}
		tooLarge = int64(len(body)) > limit
	}
	if !tooLarge {
		return body, nil
	}
	if r.Header.Get("Expect") == "" { // with Expect: 100-continue, the client has not begun to send
		_, _ = io.CopyN(io.Discard, r.Body, mostDrained)
	}
	w.Header().Set("Connection", "close")
	return nil, refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d KB; send less", limit>>10)}
}

// decodeJSON reads one JSON object. What would be lost or changed without a word is refused: unknown fields, fields that are there
// twice, anything after the object, text that is not UTF-8. null is the same as leaving a field out.
func decodeJSON(body []byte, in any) error {
	if !utf8.Valid(body) {
		return invalidBody("the body is not valid UTF-8 text")
	}
	start := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(start) == 0:
		return invalidBody("the body is empty; send a JSON object, {} if there is nothing to say")
	case start[0] != '{':
		return invalidBody("the body is not a JSON object; begin it with {")
	}
	if err := json.Unmarshal(body, in, json.RejectUnknownMembers(true)); err != nil {
		return explainJSON(err)
	}
	return requireFields(in)
}

// requireFields refuses an object without the fields that its documentation calls required. None of those may be empty or 0, but what a pointer leads to.
func requireFields(in any) error {
	v := reflect.ValueOf(in).Elem()
	missing := slices.DeleteFunc(openapi.Fields(v.Type(), "json"), func(f openapi.Field) bool {
		return !f.Required() || !v.FieldByIndex(f.Index).IsZero()
	})
	switch len(missing) {
	case 0:
		return nil
	case 1:
		f := missing[0]
		hint := "send it, with a value"
		if enum := f.Enum(); enum != nil {
			hint = "send one of " + strings.Join(enum, ", ")
		}
		return gatehouse.InvalidField(f.Name, "the field %q is missing or empty; %s", f.Name, hint)
	}
	var names []string
	for _, f := range missing {
		name := strconv.Quote(f.Name)
		if enum := f.Enum(); enum != nil {
			name += " (one of " + strings.Join(enum, ", ") + ")"
		}
		names = append(names, name)
	}
	return gatehouse.InvalidField(missing[0].Name, "the fields %s are missing or empty; send them, with values", strings.Join(names, ", "))
}

func invalidBody(format string, args ...any) error {
	return gatehouse.Errorf(gatehouse.Invalid, format, args...)
}

// explainJSON gives one line that names the field.
func explainJSON(err error) error {
	var syntax *jsontext.SyntacticError
	var meaning *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return invalidBody("the field %q is there twice; send it once", fieldAt(syntax.JSONPointer))
	case errors.As(err, &syntax):
		return invalidBody("the body is not valid JSON: it breaks off or goes wrong at byte %d", syntax.ByteOffset)
	case errors.As(err, &meaning) && errors.Is(err, json.ErrUnknownName):
		return invalidBody("there is no field %q here; look for a typing error, or see /api-docs", fieldAt(meaning.JSONPointer))
	case errors.As(err, &meaning):
		return gatehouse.InvalidField(fieldAt(meaning.JSONPointer), "the field %q must be %s", fieldAt(meaning.JSONPointer), kindName(meaning.GoType))
	}
	return invalidBody("the body is not valid JSON")
}

// fieldAt names a field as in flags.single_flags, short enough for one line.
func fieldAt(p jsontext.Pointer) string {
	name := strings.Join(slices.Collect(p.Tokens()), ".")
	if utf8.RuneCountInString(name) > 80 {
		name = string([]rune(name)[:80]) + "…"
	}
	return name
}

// kindName is what a value of the type must be in JSON.
func kindName(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Uint32:
		return "a whole number from 0 to 4294967295"
	case reflect.Uint64:
		return "a whole number from 0 to 18446744073709551615"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "an object"
	}
	return "of another type"
}

// decodeQuery fills the fields of in that have a query tag. What is not among them is refused, as unknown fields are.
func decodeQuery(raw string, in any) error {
	values, err := url.ParseQuery(raw)
	if err != nil || !utf8.ValidString(raw) {
		return invalidBody("the query of the address is not valid; escape its values")
	}
	v := reflect.ValueOf(in).Elem()
	var known []string
	for _, field := range reflect.VisibleFields(v.Type()) {
		name := field.Tag.Get("query")
		if name == "" {
			continue // an embedded struct
		}
		known = append(known, name)
		switch given := values[name]; {
		case len(given) > 1:
			return gatehouse.InvalidField(name, "the parameter %q is there %d times; send it once", name, len(given))
		case len(given) == 1:
			if err := setParameter(v.FieldByIndex(field.Index), name, given[0]); err != nil {
				return err
			}
		}
		delete(values, name)
	}
	if len(values) > 0 {
		// The name is not repeated: it may be a misplaced key.
		return invalidBody("the address holds a parameter that this path does not know; it knows %s", strings.Join(known, ", "))
	}
	return nil
}

// refuseQuery is for paths that take no parameters: one that is passed over could be a filter that its sender relies on.
func refuseQuery(raw string) error {
	if raw == "" {
		return nil
	}
	return invalidBody("this path takes no parameters in its address; leave out the question mark and what follows")
}

func setParameter(field reflect.Value, name, text string) error {
	switch field.Kind() {
	case reflect.String:
		if !utf8.ValidString(text) || len(text) > 1000 {
			return gatehouse.InvalidField(name, "the parameter %q is too long or not valid UTF-8 text", name)
		}
		field.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return gatehouse.InvalidField(name, "the parameter %q must be a whole number", name)
		}
		field.SetInt(int64(n))
	default:
		panic("a query parameter of an unknown kind: " + name)
	}
	return nil
}
