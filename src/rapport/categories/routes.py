"""HTTP operations of categories."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.categories import actions, queries
from rapport.categories.schemas import CategoriesAnswer, CategoryAnswer, CategoryInput, view
from rapport.core.errors import NotFound
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.openapi import operation

_ONE = "/v1/categories/{category_id:str}"


@get("/v1/categories", opt=operation("list-categories", answer=CategoriesAnswer))
async def list_categories(caller: Caller) -> Response[bytes]:
    """List all categories of the project, in the order of their hierarchy."""
    async with caller.db.read() as conn:
        found = await queries.find_all(conn, caller.project_id)
    return answer({"object": "list", "data_ref": "data", "data": [view(one) for one in found], "total": len(found)})


@post("/v1/categories", status_code=200, opt=operation("create-category", answer=CategoryAnswer, body=CategoryInput))
async def create_category(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a category."""
    return answer(view(await actions.create(caller, await read_body(request, CategoryInput))))


@get(_ONE, opt=operation("get-category", answer=CategoryAnswer))
async def get_category(category_id: str, caller: Caller) -> Response[bytes]:
    """Get a category by its id."""
    async with caller.db.read() as conn:
        category = await queries.find(conn, caller.project_id, category_id)
    if category is None:
        raise NotFound("category", category_id)
    return answer(view(category))


@put(_ONE, opt=operation("update-category", answer=CategoryAnswer, body=CategoryInput))
async def update_category(request: Request[Any, Any, Any], category_id: str, caller: Caller) -> Response[bytes]:
    """Change a category's name and hierarchy."""
    return answer(view(await actions.update(caller, category_id, await read_body(request, CategoryInput))))


@delete(_ONE, status_code=204, opt=operation("delete-category"))
async def delete_category(request: Request[Any, Any, Any], category_id: str, caller: Caller) -> Response[None]:
    """Delete a category that no campaign, tier or stack is in."""
    await actions.delete(caller, category_id, request.app.state.category_users)
    return no_content()


router = Router("/", route_handlers=[list_categories, create_category, get_category, update_category, delete_category])
