"""The grammar of a rule: its tokens, and how they go together."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lark import Lark

from agents.rules.literals import NUMBER
from schemas.lists import NAME

if TYPE_CHECKING:
    from lark import Token, Tree
    from lark.parsers.lalr_interactive_parser import InteractiveParser

    Parser = Lark
    Syntax = Tree[Token]
    State = InteractiveParser

_GRAMMAR = r"""
rule: SHADOW? ACTION IF expression

?expression: conjunction
    | conjunction (_OR conjunction)+ -> disjunction
?conjunction: negation
    | negation (_AND negation)+
?negation: comparison
    | NOT negation
?comparison: sum
    | sum COMPARISON sum
    | sum _IN _LEFT item (_COMMA item)* RIGHT -> among
    | sum _IN LIST -> listed
    | sum _LIKE STRING -> like
    | sum _IS MISSING -> missing
?item: constant
    | MINUS NUMBER -> negative
?sum: product
    | sum (PLUS | MINUS) product -> arithmetic
?product: unary
    | product (STAR | SLASH) unary -> arithmetic
?unary: atom
    | MINUS unary -> negative
?atom: constant
    | FIELD -> attribute
    | METADATA -> metadata
    | _LEFT expression RIGHT -> parentheses
constant: NUMBER | STRING | TRUE | FALSE

METADATA.9: /::[A-Za-z0-9_.-]+::/
FIELD.8: /:[A-Za-z0-9_]+:(?!:)/
STRING.8: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/
COMMENT.8: /#.*/

SHADOW.6: /shadow\b/i
ACTION.6: /(?:allow_without_challenge|allow|block|review|challenge)\b/i
IF.6: /if\b/i
_OR.6: /or\b/i
_AND.6: /and\b/i
NOT.6: /not\b/i
_IN.6: /in\b/i
_LIKE.6: /like\b/i
_IS.6: /is\b/i
MISSING.6: /missing\b/i
TRUE.6: /true\b/i
FALSE.6: /false\b/i

NUMBER.5: /<NUMBER>/i
LIST.8: /@<LIST>/
COMPARISON.5: /<>|!=|<=|>=|=|<|>/
PLUS.5: "+"
MINUS.5: "-"
STAR.5: "*"
SLASH.5: "/"
_LEFT.5: "("
RIGHT.5: ")"
_COMMA.5: ","

%ignore /[ \t]+/

// What no rule has. These take whatever is left, so that reading tokens never fails, and a mistake
// is told where the grammar meets one of them.
strange: HALF_NAME | UNCLOSED | OPERATOR | WORD | OTHER | COMMENT
HALF_NAME.7: /::?[A-Za-z0-9_.-]*:{0,2}|@/
UNCLOSED.7: /["'].*/
OPERATOR.6: /==+|=>|=<|!==|&&?|\|\|?|!(?!=)|\^|%/
WORD.4: /[A-Za-z_][A-Za-z0-9_]*/
OTHER.-1: /./
"""


@cache
def parser() -> Parser:
    """Return the parser of one rule; the tables take some milliseconds to make."""
    return Lark(
        _GRAMMAR.replace("<NUMBER>", NUMBER).replace("<LIST>", NAME),
        parser="lalr",
        lexer="basic",
        start=["rule", "strange"],
        maybe_placeholders=False,
    )


def tokens_of(line: str) -> list[Token]:
    """Return the tokens of a line, whatever it holds; a comment is the last of them.

    Examples
    --------
    >>> [token.type for token in tokens_of("block if :mcc: == 7 # no")]
    ['ACTION', 'IF', 'FIELD', 'OPERATOR', 'NUMBER', 'COMMENT']
    """
    thread = begin(line).lexer_thread  # its lexer is made once, that of `Lark.lex` for each line
    assert thread.state
    return list(thread.lexer.lex(thread.state, None))


def begin(line: str) -> State:
    """Return a parser of a line that is to be fed with its tokens one by one."""
    return parser().parse_interactive(line, start="rule")
