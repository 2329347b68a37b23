"""Prints FastAPI's own document of an application. fastapi.json is what FastAPI 0.92.0 prints."""
import json
from typing import Any

from fastapi import Depends, FastAPI, Security
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer, OAuth2PasswordRequestForm, SecurityScopes

oauth2 = OAuth2PasswordBearer(
    tokenUrl="token",
    scopes={"me": "Read information about the current user.", "items": "Read items.", "admin": "Manage users.", "reports": "Read reports."},
)
key = APIKeyHeader(name="X-API-Key")
app = FastAPI()


async def get_current_user(scopes: SecurityScopes, token: str = Depends(oauth2)) -> str:
    return token


async def get_current_active_user(user: str = Security(get_current_user, scopes=["me"])) -> str:
    return user


@app.post("/token")
async def login_for_access_token(form: OAuth2PasswordRequestForm = Depends()) -> Any:
    return {}


@app.get("/users/me/")
async def read_users_me(user: str = Depends(get_current_active_user)) -> Any:
    return user


@app.get("/users/me/items/")
async def read_own_items(user: str = Security(get_current_active_user, scopes=["items"])) -> Any:
    return user


@app.delete("/users/{user_id}")
async def delete_user(user_id: int, user: str = Security(get_current_user, scopes=["admin"])) -> Any:
    return user


@app.get("/status/")
async def read_system_status(user: str = Depends(get_current_user)) -> Any:
    return user


@app.get("/reports/{name}")
async def read_report(
    name: str,
    user: str = Depends(get_current_user),
    reader: str = Security(get_current_user, scopes=["reports"]),
    partner: str = Depends(key),
) -> Any:
    return user


print(json.dumps(app.openapi(), indent=2))
