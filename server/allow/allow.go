// Package allow compiles and runs the rules that say who may upload what: one
// CEL expression a destination (cel.dev), over
//
//	user     text             the principal's ID
//	claims   map              what else its sign-in says
//	file     name, type text  as the page gave them
//	         size integer     bytes
//	request  ip text          where it comes from
//	         origin text      the page's origin, "" without one
//	         time timestamp   now
//
// as in
//
//	'staff' in claims.groups && file.size < 100 * 1024 * 1024
//
// with CEL's standard definitions. Its extensions are left out: their functions
// cost what their arguments' sizes are and are counted as one step. Only true
// allows: a rule that errs (a claim that is not there), gives anything else, or
// costs too much denies.
package allow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/chunksign/chunksign/server/destination"
)

const (
	// maxLength bounds a rule, in characters.
	maxLength = 4_096
	// maxCost bounds one run of a rule, in CEL's units: about a step each. It
	// takes a few milliseconds to reach.
	maxCost = 20_000
)

// file and request are what rules see under these names.
type file struct {
	Name string `cel:"name"`
	Type string `cel:"type"`
	Size int64  `cel:"size"`
}

type request struct {
	IP     string    `cel:"ip"`
	Origin string    `cel:"origin"`
	Time   time.Time `cel:"time"`
}

var environment = func() *cel.Env {
	env, err := cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[file](), reflect.TypeFor[request](), ext.ParseStructTags(true)),
		cel.Variable("user", cel.StringType),
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("file", cel.ObjectType("allow.file")),
		cel.Variable("request", cel.ObjectType("allow.request")),
		cel.ParserExpressionSizeLimit(maxLength),
	)
	if err != nil {
		panic(err) // the declarations above are wrong
	}
	return env
}()

type rule struct{ program cel.Program }

// Compile is a destination.RuleCompiler. A rule must give a truth, as far as
// that can be known before it is run.
func Compile(text string) (destination.Rule, []destination.RuleFlaw) {
	if n := utf8.RuneCountInString(text); n > maxLength {
		return nil, []destination.RuleFlaw{{Line: 1, Column: 1, Text: fmt.Sprintf("it has %d characters, and %d are the most", n, maxLength)}}
	}
	ast, issues := environment.Compile(text)
	if issues.Err() != nil {
		var flaws []destination.RuleFlaw
		for _, e := range issues.Errors() {
			flaws = append(flaws, destination.RuleFlaw{Line: max(e.Location.Line(), 1), Column: max(e.Location.Column()+1, 1), Text: e.Message})
		}
		return nil, flaws
	}
	if out := ast.OutputType(); !out.IsEquivalentType(cel.BoolType) && !out.IsEquivalentType(cel.DynType) {
		return nil, []destination.RuleFlaw{{Line: 1, Column: 1, Text: "it gives a value of the type " + cel.FormatCELType(out) + ", not true or false"}}
	}
	program, err := environment.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100), cel.EvalOptions(cel.OptPartialEval))
	if err != nil {
		return nil, []destination.RuleFlaw{{Line: 1, Column: 1, Text: err.Error()}}
	}
	return rule{program}, nil
}

// Allows implements destination.Rule.
func (r rule) Allows(ctx context.Context, q destination.Question) (bool, error) {
	values := map[string]any{
		"user":    q.Principal.ID,
		"claims":  plain(q.Principal.Claims),
		"request": &request{q.Principal.Via.Address, q.Principal.Via.Origin, q.Now},
	}
	input, err := cel.PartialVars(values, cel.AttributePattern("file"))
	if q.File != nil {
		values["file"] = &file{q.File.Name, q.File.Type, q.File.Size}
		input, err = cel.PartialVars(values)
	}
	if err != nil {
		return false, err
	}
	result, _, err := r.program.ContextEval(ctx, input)
	switch {
	case err != nil:
		return false, fmt.Errorf("the rule errs: %w", err)
	case types.IsUnknown(result):
		return q.File == nil, nil // it depends on the file
	case result == types.True:
		return true, nil
	case result == types.False:
		return false, nil
	}
	return false, errors.New("the rule gives a value of the type " + result.Type().TypeName() + ", not true or false")
}

// plain turns the numbers of claims into CEL's: whole ones into int, where they
// fit, others into double. Text that JSON may hold beside them stays.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, item := range v {
			m[k] = plain(item)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, item := range v {
			l[i] = plain(item)
		}
		return l
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	}
	return v
}
