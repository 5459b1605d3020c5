package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"gatehouse/internal/gatehouse"
)

// statuses maps every code of an error to the HTTP status. A name that is taken is bad input here: VictoriaMetrics Cloud's client
// expects no 409.
var statuses = map[gatehouse.Code]int{
	gatehouse.Invalid:         http.StatusUnprocessableEntity,
	gatehouse.Conflict:        http.StatusUnprocessableEntity,
	gatehouse.NotFound:        http.StatusNotFound,
	gatehouse.Unauthenticated: http.StatusUnauthorized,
	gatehouse.Forbidden:       http.StatusForbidden,
	gatehouse.Unavailable:     http.StatusServiceUnavailable,
	gatehouse.Internal:        http.StatusInternalServerError,
}

// refusal is a failure that only HTTP knows, such as a body that is too large.
type refusal struct {
	status  int
	message string // one line: what failed and what to do
}

func (r refusal) Error() string { return r.message }

// problem is the body of every answer that is not 2xx. The client shows it to its user as it is.
type problem struct {
	Error string `json:"error" doc:"What failed and what to do, in one line."`
}

// fieldNames are the names that fields have in this API, where control has others.
var fieldNames = map[string]string{
	"access": "type", "tenant": "tenant_id", "url": "urls", "insert_url": "insert_urls", "select_url": "select_urls",
	"upstream_username": "upstream.username", "upstream_password": "upstream.password", "upstream_bearer": "upstream.bearer",
	"upstream_ca": "upstream.ca", "upstream_cert": "upstream.cert", "upstream_key": "upstream.key",
}

// nameField puts the field's name in front of an error that does not say it.
func nameField(err error) error {
	field := gatehouse.ErrorField(err)
	if name, other := fieldNames[field]; other {
		field = name
	}
	if message := gatehouse.ErrorMessage(err); field != "" && !strings.Contains(message, field) {
		return gatehouse.Prefixed(field+": ", err)
	}
	return err
}

// fail is the one place that answers with an error. The client gets the message, the log gets everything.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client has gone
	}
	var only refusal
	status, message := statuses[gatehouse.ErrorCode(err)], gatehouse.ErrorMessage(err)
	if errors.As(err, &only) {
		status, message = only.status, only.message
	}
	if status >= 500 {
		// The pattern, not the path: in a path, a client may have put anything.
		a.Log.Error("the management API could not answer", "route", r.Pattern, "error", err)
	}
	body, _ := json.Marshal(problem{message}) // a string can always be written
	w.Header().Set("Content-Type", jsonMedia)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}
