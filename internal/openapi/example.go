package openapi

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Example gives a value of the type as JSON, made of the example tags of its fields; those of a request leave out fields without.
func Example(t reflect.Type, request bool) any {
	switch {
	case t == timeType:
		return "2026-11-24T12:00:00Z"
	case t.Kind() == reflect.Slice:
		return []any{Example(t.Elem(), request)}
	case t.Kind() == reflect.Struct:
		return exampleObject(t, request)
	}
	return reflect.Zero(t).Interface()
}

func exampleObject(t reflect.Type, request bool) any {
	object := Object{}
	for _, f := range Fields(t, "json") {
		text, given := f.Tag.Lookup("example")
		isObject := f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct
		switch {
		case given:
			object = append(object, Member{f.Name, exampleValue(f.Type, text)})
		case isObject && (request && f.Required() || !request && !f.Optional):
			object = append(object, Member{f.Name, Example(f.Type, request)})
		case request || f.Optional:
		case f.Type.Kind() == reflect.Struct:
			object = append(object, Member{f.Name, Example(f.Type, request)})
		case f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Slice:
			object = append(object, Member{f.Name, nil})
		default:
			object = append(object, Member{f.Name, reflect.Zero(f.Type).Interface()})
		}
	}
	return object
}

// exampleValue reads the text of an example tag.
func exampleValue(t reflect.Type, text string) any {
	switch {
	case t.Kind() == reflect.String || t == timeType:
		return text
	case t.Kind() == reflect.Pointer:
		return exampleValue(t.Elem(), text)
	case t.Kind() == reflect.Slice:
		return []any{exampleValue(t.Elem(), text)}
	}
	return json.RawMessage(text)
}

// Object is a JSON object whose members keep their order.
type Object []Member

// Member is one name and value of an Object.
type Member struct {
	Name  string
	Value any
}

// MarshalJSON writes the members in order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}
