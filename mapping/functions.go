package mapping

// Function is one function rules may call.
type Function struct {
	Name      string    `json:"name"`
	Signature string    `json:"signature"`
	Doc       string    `json:"doc"`
	Examples  []Example `json:"examples"`
}

// Example is an expression, what its event or ticket is, and what comes out.
type Example struct {
	Input  map[string]any `json:"input,omitempty"`
	Expr   string         `json:"expr"`
	Output any            `json:"output"`
}

// Functions returns every function rules may call, in the order of the reference. What is not listed does not exist.
func Functions() []Function {
	out := make([]Function, 0, len(functions))
	for _, f := range functions {
		out = append(out, f.Function)
	}
	return out
}

// function is a Function and how it works: run does it, types are its signatures for the checker. Loops have neither,
// because they are part of the language; table has no run, because it is rewritten.
type function struct {
	Function
	run   func(m *meter, args []any) (any, error)
	types []any
}

func entry(name, signature, doc string, run func(*meter, []any) (any, error), types []any, examples ...Example) function {
	return function{Function{name, signature, doc, examples}, run, types}
}

func loops(name, signature, doc string, examples ...Example) function {
	return function{Function: Function{name, signature, doc, examples}}
}

func example(expr string, output any) Example { return Example{Expr: expr, Output: output} }

func given(data map[string]any, expr string, output any) Example {
	return Example{Input: map[string]any{"event": map[string]any{"data": data}}, Expr: expr, Output: output}
}

// functions is the reference. Its examples read a table priority (high: High, low: Low, default: Medium) and a table
// trusted (ACME Ltd, Example AG).
var functions = []function{
	entry("table", "table(name) list, table(name, key) value", "The list of a Table document, or its value for a key. The name is written out. A key that is not listed gives the table's default; without one it is an error.", nil,
		[]any{new(func(string) []any), new(func(string, any) any)},
		example(`table("priority", "high")`, "High"), example(`table("priority", "odd")`, "Medium"), example(`"ACME Ltd" in table("trusted")`, true)),

	entry("string", "string(value) text", "The text of a value. Lists are joined by commas, mappings are written as JSON, nothing is the empty text.", toText,
		[]any{new(func(any) string)}, example(`string(42)`, "42"), example(`string(["a", "b"])`, "a, b")),
	entry("upper", "upper(text) text", "The text in capital letters.", onText(upper), textToText, example(`upper("acme")`, "ACME")),
	entry("lower", "lower(text) text", "The text in small letters.", onText(lower), textToText, example(`lower("ACME")`, "acme")),
	entry("trim", "trim(text) text", "The text without white space at its ends.", onText(trim), textToText, example(`trim("  a b ")`, "a b")),
	entry("trimPrefix", "trimPrefix(text, prefix) text", "The text without a prefix, where it has it.", trimPrefix, twoTextsToText, example(`trimPrefix("CORP\\ana", "CORP\\")`, "ana")),
	entry("trimSuffix", "trimSuffix(text, suffix) text", "The text without a suffix, where it has it.", trimSuffix, twoTextsToText, example(`trimSuffix("setup.exe", ".exe")`, "setup")),
	entry("replace", "replace(text, old, new) text", "The text with every old part replaced.", replaceText, []any{new(func(string, string, string) string)}, example(`replace("a-b-c", "-", ".")`, "a.b.c")),
	entry("truncate", "truncate(text, n) text", "The text cut to at most n characters; one that was cut ends with an ellipsis.", truncateText, []any{new(func(string, int) string)}, example(`truncate("installation", 8)`, "install…"), example(`truncate("short", 8)`, "short")),
	entry("split", "split(text, separator) list", "The parts between separators.", splitText, []any{new(func(string, string) []any)}, example(`split("CORP\\ana", "\\")[1]`, "ana")),
	entry("join", "join(list, separator) text", "The texts of a list, with the separator between them.", joinList, []any{new(func([]any) string), new(func([]any, string) string)}, example(`join(["a", "b"], " / ")`, "a / b")),

	entry("code", "code(text) Markdown", "The text in code type, on one line, whatever is in it.", code, textToMarkup, example(`code("del *.tmp")`, "`del *.tmp`")),
	entry("quote", "quote(text) Markdown", "The text as a quotation; to be put on a line of its own.", quote, textToMarkup, example(`quote("please\n# now")`, "> please  \n> \\# now")),
	entry("link", "link(text, address) Markdown", "A link. An address that is not http or https gives the text alone.", link, []any{new(func(string, string) markup)}, example(`link("console", "https://epm.example/r/1")`, "[console](<https://epm.example/r/1>)"), example(`link("x", "javascript:alert(1)")`, "x")),
	entry("markdown", "markdown(text) Markdown", "The text as Markdown: nothing in it is escaped. Only for text you trust.", markdown, textToMarkup, example(`markdown("**bold**")`, "**bold**")),

	entry("seconds", "seconds(length) number", `The seconds of a length of time such as "90s", "30m", "1h30m", "1d" or "2w".`, seconds, []any{new(func(any) int)}, example(`seconds("1h30m")`, 5400), example(`seconds("1d")`, 86400)),
	entry("duration", "duration(seconds) text", "Seconds as a length of time.", duration, []any{new(func(any) string)}, example(`duration(5400)`, "1h30m"), example(`duration(86400)`, "1d")),
	entry("timestamp", "timestamp(time) number", "A time (RFC 3339) as seconds since 1970.", timestamp, []any{new(func(string) int)}, example(`timestamp("2026-01-05T10:15:00Z")`, 1767608100)),
	entry("date", "date(time) text", "The day of a time (RFC 3339), in UTC.", day, textToText, example(`date("2026-01-05T23:15:00-02:00")`, "2026-01-06")),
	entry("later", "later(time, length) text", "The time (RFC 3339) so much later, in UTC.", later, []any{new(func(string, any) string)}, example(`later("2026-01-05T10:15:00Z", "1d")`, "2026-01-06T10:15:00Z")),

	entry("len", "len(value) number", "The number of characters of a text, or of items of a list or mapping.", count, []any{new(func(any) int)}, example(`len("Zoë")`, 3), example(`len([1, 2])`, 2)),
	entry("first", "first(list) value", "The first item, nothing where there is none.", firstItem, listToAny, example(`first([3, 1])`, 3)),
	entry("last", "last(list) value", "The last item, nothing where there is none.", lastItem, listToAny, example(`last([3, 1])`, 1)),
	entry("sort", "sort(list) list", "The texts or numbers of a list in ascending order.", sortList, listToList, example(`sort(["b", "a"])`, []any{"a", "b"})),
	entry("reverse", "reverse(list) list", "The list from its end to its start.", reverseList, listToList, example(`reverse([1, 2])`, []any{2, 1})),
	entry("uniq", "uniq(list) list", "The texts and numbers of a list without repetitions.", uniqList, listToList, example(`uniq(["a", "b", "a"])`, []any{"a", "b"})),
	entry("concat", "concat(list, list...) list", "The items of several lists in one.", concatLists, []any{new(func(...[]any) []any)}, example(`concat([1], [2, 3])`, []any{1, 2, 3})),
	entry("flatten", "flatten(list) list", "The list with the items of lists in it, one level deep, in their place.", flattenList, listToList, example(`flatten([[1], [2, 3], 4])`, []any{1, 2, 3, 4})),
	entry("keys", "keys(mapping) list", "The keys of a mapping, sorted.", mapKeys, []any{new(func(any) []any)}, given(map[string]any{"b": 1, "a": 2}, `keys(event.data)`, []any{"a", "b"})),
	entry("values", "values(mapping) list", "The values of a mapping, sorted by key.", mapValues, []any{new(func(any) []any)}, given(map[string]any{"b": "y", "a": "x"}, `values(event.data)`, []any{"x", "y"})),
	entry("toJSON", "toJSON(value) text", "The value as JSON.", toJSON, []any{new(func(any) string)}, example(`toJSON({"a": [1, true]})`, `{"a":[1,true]}`)),
	entry("fromJSON", "fromJSON(text) value", "The value of a JSON text.", fromJSON, []any{new(func(string) any)}, example(`fromJSON("[1, 2]")[1]`, 2.0)),
	entry("type", "type(value) text", "What a value is: nothing, bool, number, text, list or mapping.", typeOf, []any{new(func(any) string)}, example(`type("a")`, "text")),

	entry("int", "int(value) number", "The whole number of a text, or of a number without its fraction.", toInt, []any{new(func(any) int)}, example(`int("42")`, 42), example(`int(2.9)`, 2)),
	entry("float", "float(value) number", "The number of a text.", toFloat, []any{new(func(any) float64)}, example(`float("2.5")`, 2.5)),
	entry("abs", "abs(number) number", "The number without its sign.", onNumber(abs), numberToFloat, example(`abs(-2.0)`, 2.0)),
	entry("ceil", "ceil(number) number", "The number rounded up.", onNumber(ceil), numberToFloat, example(`ceil(2.1)`, 3.0)),
	entry("floor", "floor(number) number", "The number rounded down.", onNumber(floor), numberToFloat, example(`floor(2.9)`, 2.0)),
	entry("round", "round(number) number", "The number rounded to the nearest, halves away from zero.", onNumber(round), numberToFloat, example(`round(2.5)`, 3.0)),
	entry("min", "min(number, number...) number, min(list) number", "The smallest number.", smallest, []any{new(func(...any) any)}, example(`min(3, 1, 2)`, 1)),
	entry("max", "max(number, number...) number, max(list) number", "The largest number.", largest, []any{new(func(...any) any)}, example(`max([3, 1])`, 3)),

	loops("all", "all(list, condition) bool", "Whether the condition is true for every item; # is the item.", example(`all([1, 2], # > 0)`, true)),
	loops("any", "any(list, condition) bool", "Whether the condition is true for some item.", example(`any(["a", "b"], # == "b")`, true)),
	loops("one", "one(list, condition) bool", "Whether the condition is true for exactly one item.", example(`one([1, 2], # == 2)`, true)),
	loops("none", "none(list, condition) bool", "Whether the condition is true for no item.", example(`none([1, 2], # > 2)`, true)),
	loops("filter", "filter(list, condition) list", "The items for which the condition is true.", example(`filter([1, 2, 3], # > 1)`, []any{2, 3})),
	loops("map", "map(list, expression) list", "The expression's value for every item; #index is its place.", given(map[string]any{"users": []any{map[string]any{"mail": "a@x"}}}, `map(event.data.users, .mail)`, []any{"a@x"})),
	loops("find", "find(list, condition) value", "The first item for which the condition is true, nothing where there is none.", example(`find([1, 2, 3], # > 1)`, 2)),
	loops("count", "count(list, condition) number", "For how many items the condition is true.", example(`count([1, 2, 3], # > 1)`, 2)),
	loops("sum", "sum(list) number, sum(list, expression) number", "The sum of numbers.", example(`sum([1, 2])`, 3), example(`sum([1, 2], # * 2)`, 6)),
	loops("sortBy", `sortBy(list, expression) list, sortBy(list, expression, "desc") list`, "The items in the order of the expression's value.", example(`sortBy([3, 1], #)`, []any{1, 3})),
}

var (
	textToText     = []any{new(func(string) string)}
	twoTextsToText = []any{new(func(string, string) string)}
	textToMarkup   = []any{new(func(string) markup)}
	listToList     = []any{new(func([]any) []any)}
	listToAny      = []any{new(func([]any) any)}
	numberToFloat  = []any{new(func(float64) float64), new(func(int) float64)}
)

// functionNamed finds a function by its name.
var functionNamed = func() map[string]*function {
	index := make(map[string]*function, len(functions))
	for i := range functions {
		index[functions[i].Name] = &functions[i]
	}
	return index
}()
