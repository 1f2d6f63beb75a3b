package mapping

import (
	"math"
	"strconv"
	"strings"
)

func toInt(_ *meter, args []any) (any, error) {
	if n, ok := number(args[0]); ok {
		if math.IsNaN(n) || math.Abs(n) >= 1<<53 {
			return nil, fault("int is given a number that is too large")
		}
		return int(n), nil
	}
	s, ok := args[0].(string)
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if !ok || err != nil {
		return nil, fault("int is given something that is not a whole number")
	}
	return n, nil
}

func toFloat(_ *meter, args []any) (any, error) {
	if n, ok := number(args[0]); ok {
		return n, nil
	}
	s, ok := args[0].(string)
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if !ok || err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return nil, fault("float is given something that is not a number")
	}
	return n, nil
}

func abs(n float64) float64   { return math.Abs(n) }
func ceil(n float64) float64  { return math.Ceil(n) }
func floor(n float64) float64 { return math.Floor(n) }
func round(n float64) float64 { return math.Round(n) }

func onNumber(do func(float64) float64) func(*meter, []any) (any, error) {
	return func(_ *meter, args []any) (any, error) {
		n, ok := number(args[0])
		if !ok {
			return nil, faultf("%s is given where a number is expected", kindOf(args[0]))
		}
		return do(n), nil
	}
}

func smallest(m *meter, args []any) (any, error) {
	return extreme(m, args, func(a, b float64) bool { return a < b })
}

func largest(m *meter, args []any) (any, error) {
	return extreme(m, args, func(a, b float64) bool { return a > b })
}

// extreme returns the number that beats all others, nothing where there is none.
func extreme(m *meter, args []any, beats func(a, b float64) bool) (any, error) {
	if len(args) == 1 && length(args[0]) >= 0 {
		var err error
		if args, err = list(m, args, 0); err != nil {
			return nil, err
		}
	}
	var out any
	var best float64
	for _, v := range args {
		n, ok := number(v)
		if !ok {
			return nil, faultf("%s is given where a number is expected", kindOf(v))
		}
		if out == nil || beats(n, best) {
			out, best = v, n
		}
	}
	return out, nil
}
