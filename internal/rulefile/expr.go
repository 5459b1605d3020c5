package rulefile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/VictoriaMetrics/metricsql"
)

// languages are the types of groups: in which language their expressions are written. Empty is prometheus.
var languages = []string{"prometheus", "graphite", "vlogs"}

// mostExpr bounds an expression in bytes. VictoriaMetrics refuses longer ones, -search.maxQueryLen.
const mostExpr = 16 << 10

// mostPowers bounds the operators ^ of an expression: to put many of them in order takes the parser a time that grows with the square
// of their number.
const mostPowers = 500

// checkExpr checks an expression. Of languages other than MetricsQL it knows the limits only; the program that evaluates such a rule
// reports what is wrong with it.
func checkExpr(expr, language string) (err error) {
	if len(expr) > mostExpr {
		return errors.New("it is longer than 16 KB, which VictoriaMetrics refuses; shorten it")
	}
	if language != "" && language != "prometheus" {
		return nil
	}
	if strings.Count(expr, "^") > mostPowers {
		return errors.New("it has more than 500 times the operator ^; shorten it")
	}
	if !expandsWithin(expr, mostExpanded) {
		return errors.New("its WITH templates stand for too much text; use fewer of them inside others")
	}
	defer func() {
		if p := recover(); p != nil { // the parser panics where it finds a bug of its own
			err = fmt.Errorf("the parser gives up: %v", p)
		}
	}()
	if _, err := metricsql.Parse(expr); err != nil {
		return errors.New(strings.TrimSuffix(err.Error(), `; unparsed data: ""`))
	}
	return nil
}
