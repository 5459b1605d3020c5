package openapi

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Schema describes a JSON value, in the dialect of JSON Schema that OpenAPI 3.1 uses.
type Schema struct {
	Ref                  string             `json:"$ref,omitempty"`
	Type                 any                `json:"type,omitempty"` // one name, or several
	Format               string             `json:"format,omitempty"`
	Description          string             `json:"description,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Minimum              *int64             `json:"minimum,omitempty"`
	Maximum              *uint64            `json:"maximum,omitempty"`
	Items                *Schema            `json:"items,omitempty"`
	Properties           map[string]*Schema `json:"properties,omitempty"`
	AdditionalProperties *Schema            `json:"additionalProperties,omitempty"`
	AnyOf                []*Schema          `json:"anyOf,omitempty"`
	Required             []string           `json:"required,omitempty"`

	Order []string `json:"-"` // of Properties
}

const refPrefix = "#/components/schemas/"

// Resolve follows a reference.
func (d *Document) Resolve(s *Schema) *Schema {
	if s != nil && s.Ref != "" {
		return d.Components.Schemas[strings.TrimPrefix(s.Ref, refPrefix)]
	}
	return s
}

var timeType = reflect.TypeFor[time.Time]()

// Request gives the schema of what clients send: the fields with the tag required are required, and all may be null.
func (d *Document) Request(t reflect.Type) *Schema { return d.schema(t, true) }

// Answer gives the schema of what they get: the fields without omitempty are always there.
func (d *Document) Answer(t reflect.Type) *Schema { return d.schema(t, false) }

func (d *Document) schema(t reflect.Type, request bool) *Schema {
	switch t.Kind() {
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Float64:
		return &Schema{Type: "number", Format: "double"}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer", Format: "int64"}
	case reflect.Uint32:
		return &Schema{Type: "integer", Format: "uint32", Minimum: new(int64), Maximum: pointer(uint64(math.MaxUint32))}
	case reflect.Uint64:
		return &Schema{Type: "integer", Format: "uint64", Minimum: new(int64)}
	case reflect.Slice:
		return &Schema{Type: "array", Items: d.schema(t.Elem(), request)}
	case reflect.Map:
		return &Schema{Type: "object", AdditionalProperties: d.schema(t.Elem(), request)}
	case reflect.Pointer:
		return orNull(d.schema(t.Elem(), request))
	case reflect.Struct:
		if t == timeType {
			return &Schema{Type: "string", Format: "date-time"}
		}
		return d.component(t, request)
	}
	panic(fmt.Sprintf("openapi: no schema for %s", t))
}

// orNull lets a value also be null.
func orNull(s *Schema) *Schema {
	if name, ok := s.Type.(string); ok {
		s.Type = []string{name, "null"}
		return s
	}
	return &Schema{AnyOf: []*Schema{s, {Type: "null"}}}
}

// component puts the schema of a struct among the components, under the name of its type, and gives a reference to it.
func (d *Document) component(t reflect.Type, request bool) *Schema {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	ref := &Schema{Ref: refPrefix + name}
	if d.Components.Schemas == nil {
		d.Components.Schemas = map[string]*Schema{}
	}
	if d.Components.Schemas[name] != nil {
		return ref
	}
	object := &Schema{Type: "object", Properties: map[string]*Schema{}}
	d.Components.Schemas[name] = object
	for _, field := range Fields(t, "json") {
		s := d.schema(field.Type, request)
		switch {
		case field.Type.Kind() == reflect.Slice && (request || field.Nullable()):
			s = orNull(s)
		case s.Ref != "":
			s = &Schema{AnyOf: []*Schema{s}} // beside a reference, a description would be passed over by some
		}
		s.Description, s.Enum = field.Doc(), field.Enum()
		object.Properties[field.Name] = s
		object.Order = append(object.Order, field.Name)
		if request && field.Required() || !request && !field.Optional {
			object.Required = append(object.Required, field.Name)
		}
	}
	return ref
}

// Field is a field of a struct as clients see it.
type Field struct {
	reflect.StructField
	Name     string // in JSON, or in the query
	Optional bool   // has omitempty
}

// Fields gives the fields that have the tag, those of embedded structs included, in order.
func Fields(t reflect.Type, tag string) []Field {
	var all []Field
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get(tag), ",")
		if name != "" {
			all = append(all, Field{StructField: f, Name: name, Optional: options == "omitempty"})
		}
	}
	return all
}

// Doc says what the field is.
func (f Field) Doc() string { return f.Tag.Get("doc") }

// Required reports whether clients must send the field.
func (f Field) Required() bool { return f.Tag.Get("required") == "true" }

// Nullable reports whether null means something else than an empty list.
func (f Field) Nullable() bool { return strings.Contains(f.Doc(), "null:") }

// Enum gives the values that the field may have, or nil for all of its type.
func (f Field) Enum() []string {
	if enum := f.Tag.Get("enum"); enum != "" {
		return strings.Split(enum, ",")
	}
	return nil
}

// ParameterSchema is the schema of a query parameter.
func (f Field) ParameterSchema() *Schema {
	s := (&Document{}).schema(f.Type, true)
	s.Enum = f.Enum()
	return s
}

func pointer[T any](v T) *T { return &v }

func methodKey(method string) string { return strings.ToLower(method) }

// Names gives the names of the components in order.
func (d *Document) Names() []string {
	var names []string
	for name := range d.Components.Schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
