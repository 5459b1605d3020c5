// Package openapi describes HTTP APIs as OpenAPI 3.1 documents, https://spec.openapis.org/oas/v3.1.1.html: the parts that Gatehouse
// needs. Schemas are made from the Go types that serve.
package openapi

// Document is the description of an API.
type Document struct {
	OpenAPI    string                           `json:"openapi"`
	Info       Info                             `json:"info"`
	Servers    []Server                         `json:"servers"`
	Security   []map[string][]string            `json:"security"`
	Tags       []Tag                            `json:"tags"`
	Paths      map[string]map[string]*Operation `json:"paths"` // by path, then by method in lower case
	Components Components                       `json:"components"`

	// Operations are those of Paths in the order in which they were added.
	Operations []*Operation `json:"-"`
}

// Info says what the API is.
type Info struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

// Server is where the API is.
type Server struct {
	URL string `json:"url"`
}

// Tag is a group of operations.
type Tag struct {
	Name string `json:"name"`
}

// Operation is what one method of one path does.
type Operation struct {
	ID          string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Parameters  []Parameter           `json:"parameters,omitempty"`
	RequestBody *RequestBody          `json:"requestBody,omitempty"`
	Responses   map[string]*Response  `json:"responses"` // by status; "default" is every other
	Security    []map[string][]string `json:"security,omitempty"`

	Method string `json:"-"` // in upper case
	Path   string `json:"-"`
}

// Parameter is a part of the path or query.
type Parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"` // "path" or "query"
	Required    bool    `json:"required,omitempty"`
	Description string  `json:"description"`
	Schema      *Schema `json:"schema"`
}

// RequestBody is what a request carries.
type RequestBody struct {
	Required bool              `json:"required"`
	Content  map[string]*Media `json:"content"` // by media type
}

// Response is an answer.
type Response struct {
	Description string             `json:"description"`
	Headers     map[string]*Header `json:"headers,omitempty"`
	Content     map[string]*Media  `json:"content,omitempty"` // by media type
}

// Header is a header of an answer.
type Header struct {
	Description string  `json:"description"`
	Schema      *Schema `json:"schema"`
}

// Media is a body in one media type.
type Media struct {
	Schema  *Schema `json:"schema,omitempty"`
	Example any     `json:"example,omitempty"`
}

// Components are what operations refer to.
type Components struct {
	Schemas         map[string]*Schema         `json:"schemas"`
	SecuritySchemes map[string]*SecurityScheme `json:"securitySchemes"`
}

// SecurityScheme is how a client proves itself.
type SecurityScheme struct {
	Type        string `json:"type"`
	In          string `json:"in"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Add puts an operation into the document.
func (d *Document) Add(o *Operation) {
	if d.Paths == nil {
		d.Paths = map[string]map[string]*Operation{}
	}
	if d.Paths[o.Path] == nil {
		d.Paths[o.Path] = map[string]*Operation{}
	}
	d.Paths[o.Path][methodKey(o.Method)] = o
	d.Operations = append(d.Operations, o)
}
